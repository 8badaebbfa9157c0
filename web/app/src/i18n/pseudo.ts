/** The pseudo-locale: what isn't in a catalogue stays plain, and what is cut off lacks its closing bracket. */
import type { Catalogue } from './locale.ts'

const accents: Readonly<Record<string, string>> = {
  a: 'á', b: 'ƀ', c: 'ç', d: 'ð', e: 'é', f: 'ƒ', g: 'ĝ', h: 'ĥ', i: 'î', j: 'ĵ', k: 'ķ', l: 'ļ', m: 'ɱ', n: 'ñ', o: 'ö', p: 'þ', q: 'ʠ', r: 'ŕ', s: 'š',
  t: 'ţ', u: 'û', v: 'ṽ', w: 'ŵ', x: 'ẋ', y: 'ý', z: 'ž', A: 'Å', B: 'Ɓ', C: 'Ç', D: 'Ð', E: 'É', F: 'Ƒ', G: 'Ĝ', H: 'Ĥ', I: 'Î', J: 'Ĵ', K: 'Ķ', L: 'Ļ',
  M: 'Ṁ', N: 'Ñ', O: 'Ö', P: 'Þ', Q: 'Ǫ', R: 'Ŕ', S: 'Š', T: 'Ţ', U: 'Û', V: 'Ṽ', W: 'Ŵ', X: 'Ẋ', Y: 'Ý', Z: 'Ž',
} // prettier-ignore

/** accented is a text a third longer, in letters that can still be read. */
export function accented(text: string): string {
  if (text.trim() === '') return text
  return `[${text.replace(/[A-Za-z]/g, (c) => accents[c] ?? c)}${'·'.repeat(Math.ceil(text.length / 3))}]`
}

/** pseudo is a catalogue with each of its texts accented. */
export function pseudo(base: Catalogue): Catalogue {
  return Object.fromEntries(
    Object.entries(base).map(([key, text]): [string, Catalogue[string]] => {
      if (typeof text === 'string') return [key, accented(text)]
      if (typeof text === 'function') return [key, (...values: never[]) => accented(text(...values))]
      return [key, pseudo(text)]
    }),
  )
}
