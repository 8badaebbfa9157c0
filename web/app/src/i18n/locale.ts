/** The language of the page: which there are, which is in use, and catalogues of texts that follow it. */
import { createSignal } from 'solid-js'

/** pseudo and pseudo-rtl are for tests: each text accented and longer, the latter from right to left. */
export const locales = ['en', 'pseudo', 'pseudo-rtl'] as const
export type Locale = (typeof locales)[number]

/** A text, or what makes one of values; groups of them. */
export interface Catalogue {
  readonly [key: string]: Text | Catalogue
}
type Text = string | ((...values: never[]) => string)

const [current, setCurrent] = createSignal<Locale>('en')
const [translate, setTranslate] = createSignal<(base: Catalogue) => Catalogue>()

export const locale = current

/** direction is that of a language's lines. */
export function direction(of: Locale): 'ltr' | 'rtl' {
  return of === 'pseudo-rtl' ? 'rtl' : 'ltr'
}

/** setLocale turns the page to a language, once its texts are loaded. */
export async function setLocale(to: Locale): Promise<void> {
  const pseudo = to === 'en' ? undefined : (await import('./pseudo.ts')).pseudo
  setTranslate(() => pseudo)
  setCurrent(to)
  document.documentElement.lang = tag()
  document.documentElement.dir = direction(to)
}

/** regional is the page's language as it is written where the reader is, whose browser wants `first` first: "en-DE" has dates and numbers of Germany. */
export function regional(first: string): string {
  try {
    const { region } = new Intl.Locale(first).maximize()
    return region === undefined ? 'en' : `en-${region}`
  } catch {
    return 'en' // no language that there is
  }
}

let wanted: string | undefined
let made = 'en'

/** tag is the language for Intl and `lang`. */
export function tag(): string {
  const language = typeof navigator === 'undefined' ? 'en-US' : navigator.language // in unit tests there is none
  if (language !== wanted) {
    wanted = language
    made = regional(wanted)
  }
  return made
}

/** preferred is the one of ours that the browser's list names first. */
export function preferred(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const found = locales.find((name) => name === tag || name === tag.split('-')[0])
    if (found) return found
  }
  return 'en'
}

/** texts is a catalogue in the language in use: call the function that it returns wherever a text is shown, so that it follows. */
export function texts<C extends Catalogue>(base: C): () => C {
  const made = new Map<unknown, C>()
  return () => {
    const by = translate()
    if (!by) return base
    let catalogue = made.get(by)
    if (!catalogue) {
      catalogue = by(base) as C // of the same shape: holes.test.ts
      made.set(by, catalogue)
    }
    return catalogue
  }
}
