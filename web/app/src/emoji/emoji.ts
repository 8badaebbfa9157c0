/** The emoji that there are: asked for when somebody first looks for one, and kept as long as the page is there. */
import url from 'emoji-picker-element-data/en/emojibase/data.json?url'

/** Tone is a colour of skin: 0 is the one of no person, 1 the lightest, 5 the darkest. */
export type Tone = 0 | 1 | 2 | 3 | 4 | 5

export interface Emoji {
  readonly sign: string
  /** "party popper". */
  readonly name: string
  /** "tada": what stands between colons. There is one at least. */
  readonly codes: readonly string[]
  /** What else it is found by, lower case. */
  readonly tags: readonly string[]
  readonly group: Group
  /** Of Emoji in which it came. */
  readonly version: number
  /** By Tone, from 1; undefined: it has no skin. */
  readonly toned: readonly string[] | undefined
}

/** What the data numbers; 2 are parts of others. */
const groups = ['smileys', 'people', undefined, 'nature', 'food', 'travel', 'activities', 'objects', 'symbols', 'flags'] as const
export type Group = NonNullable<(typeof groups)[number]>
export const groupNames: readonly Group[] = groups.filter((group) => group !== undefined)

/** As it stands in the package's file. */
export interface Told {
  readonly emoji: string
  readonly annotation: string
  readonly shortcodes: readonly string[]
  readonly tags: readonly string[]
  readonly group: number
  readonly version: number
  readonly skins?: readonly { readonly emoji: string; readonly tone: number | readonly number[] }[]
}

/** U+FE0F behind what is an emoji anyway. The file has it there; keyboards and other clients don't, and two of them would be two reactions. */
const superfluous = /(?<=\p{Emoji_Presentation})\uFE0F/gu
const plain = (sign: string) => sign.replace(superfluous, '')

/** emojiOf reads the package's file. Those of a version that this device can't draw are left out. */
export function emojiOf(told: readonly Told[], newest = Infinity): readonly Emoji[] {
  return told.flatMap(({ emoji, annotation, shortcodes, tags, group, version, skins }) => {
    const name = groups[group]
    if (name === undefined || version > newest || shortcodes.length === 0) return []
    const toned = skins?.filter((skin) => typeof skin.tone === 'number').map((skin) => plain(skin.emoji))
    return [{ sign: plain(emoji), name: annotation, codes: shortcodes, tags, group: name, version, toned: toned?.length === 5 ? toned : undefined }]
  })
}

/** toned is an emoji in a colour of skin, if it has one. */
export function toned(emoji: Emoji, tone: Tone): string {
  return emoji.toned?.[tone - 1] ?? emoji.sign
}

let asked: Promise<readonly Emoji[]> | undefined

/** loadEmoji asks for them once. It rejects where the network is away; the next call asks again. */
export function loadEmoji(): Promise<readonly Emoji[]> {
  asked ??= read().catch((cause: unknown) => {
    asked = undefined
    throw cause
  })
  return asked
}

async function read(): Promise<readonly Emoji[]> {
  const [answer, { newestDrawn }] = await Promise.all([fetch(url), import('./drawn.ts')])
  if (!answer.ok) throw new Error(`the emoji could not be loaded: ${answer.status}`)
  return emojiOf((await answer.json()) as Told[], newestDrawn())
}
