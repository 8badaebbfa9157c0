/** What may be meant by what is being typed in a composer. */
import type { Tone } from '../emoji/emoji.ts'
import { compare } from '../i18n/format.ts'
import { folded } from '../model/called.ts'
import type { Channel, Group, Person } from '../model/model.ts'
import { everybody } from './named.ts'

/** Answer is one of them, and what is put in place of what was typed. */
export type Answer =
  | { readonly kind: 'person'; readonly person: Person; readonly puts: string }
  | { readonly kind: 'group'; readonly group: Group; readonly puts: string }
  | { readonly kind: 'everybody'; readonly puts: string }
  | { readonly kind: 'channel'; readonly channel: Channel; readonly puts: string }
  | { readonly kind: 'emoji'; readonly name: string; readonly code: string; readonly puts: string }

/** mostShown is how many are offered. */
export const mostShown = 8

/** How well a word fits: it is the whole handle, a beginning of what is written first, or of a later part of it. */
const fits = { whole: 0, first: 1, later: 2 } as const

/** fit is how well a word, in lower case, fits somebody's handle or name; undefined: not at all. */
function fit(word: string, handle: string, name: string): number | undefined {
  if (handle === word) return fits.whole
  const called = name.toLowerCase()
  if (handle.startsWith(word) || called.startsWith(word)) return fits.first
  return called.split(' ').some((part) => part.startsWith(word)) ? fits.later : undefined
}

interface Found {
  readonly answer: Answer
  readonly name: string
  readonly fit: number
}

/** best are those that fit best, by name. */
function best(found: readonly Found[], most = mostShown): readonly Answer[] {
  return [...found].sort((a, b) => a.fit - b.fit || compare(a.name, b.name)).slice(0, most).map(({ answer }) => answer)
}

/** mentionable is who may be meant by "@" and a word. `all`: who writes may call everybody here, who stand last unless they are called by their whole name. */
export function mentionable(typed: string, people: readonly Person[], groups: readonly Group[], all: boolean): readonly Answer[] {
  const word = typed.toLowerCase()
  const found: Found[] = []
  for (const person of people) {
    const how = person.deactivated ? undefined : fit(word, person.handle, person.name)
    if (how !== undefined) found.push({ answer: { kind: 'person', person, puts: `@${person.handle}` }, name: person.name, fit: how })
  }
  for (const group of groups) {
    const how = fit(word, group.handle, group.name)
    if (how !== undefined) found.push({ answer: { kind: 'group', group, puts: `@${group.handle}` }, name: group.name, fit: how })
  }
  const called = all ? everybody.find((handle) => handle.startsWith(word)) : undefined
  if (called === undefined) return best(found)
  const everyone: Answer = { kind: 'everybody', puts: `@${called}` }
  const others = best(found, mostShown - 1)
  return called === word ? [everyone, ...others] : [...others, everyone]
}

/** channelsBy are the channels that may be meant by "#" and a word. */
export function channelsBy(typed: string, channels: readonly Channel[]): readonly Answer[] {
  const word = folded(typed)
  const found: Found[] = []
  for (const channel of channels) {
    const { name, archived } = channel
    if (name === '' || archived) continue
    const fit = name === word ? fits.whole : name.startsWith(word) ? fits.first : name.split(/[._-]/).some((part) => part.startsWith(word)) ? fits.later : undefined
    if (fit !== undefined) found.push({ answer: { kind: 'channel', channel, puts: `#${name}` }, name, fit })
  }
  return best(found)
}

/** Completer finds emoji by the beginning of a code or name. */
export type Completer = (word: string, tone: Tone) => readonly Answer[]

/** loadCompleter loads the emoji. */
export async function loadCompleter(): Promise<Completer> {
  const [{ loadEmoji, toned }, { completions }] = await Promise.all([import('../emoji/emoji.ts'), import('../emoji/find.ts')])
  const all = await loadEmoji()
  return (word, tone) => completions(all, word, mostShown).map(({ emoji, code }) => ({ kind: 'emoji', name: emoji.name, code, puts: toned(emoji, tone) }))
}
