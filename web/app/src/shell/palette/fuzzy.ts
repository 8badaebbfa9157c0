/** Fuzzy matching: the letters of the words in their order, better at the beginnings of words and beside each other. */

export interface Match {
  /** Higher is better. */
  readonly score: number
  /** Which code units of the text matched, ascending. */
  readonly at: readonly number[]
}

const atStart = 18 // of the text
const atWord = 11 // at the beginning of a word
const adjacent = 9 // to the one before
const plain = 1
const gap = 0.35 // for each that is skipped
const lateness = 0.12 // for each before the first

/** fold takes case and accents off, code unit by code unit, so that places stay. */
export function fold(text: string): string {
  return text.replace(/[^\0-\x7f]/g, unit).toLowerCase()
}

/** What code units beyond ASCII fold to: most texts have the same few. */
const units = new Map<string, string>()
function unit(c: string): string {
  let folded = units.get(c)
  if (folded === undefined) units.set(c, (folded = c.normalize('NFD').charAt(0).toLowerCase().charAt(0)))
  return folded
}

/** fuzzy finds words, folded, in a text; undefined: they aren't there. Blanks in the words are of no account. `have` is the text, folded. */
export function fuzzy(words: string, text: string, have = fold(text)): Match | undefined {
  const want = words.replaceAll(' ', '')
  if (want === '') return { score: 0, at: [] }
  const whole = have.indexOf(words.trim())
  if (whole >= 0) return exact(words.trim(), have, whole)
  return best(want, have, text)
}

function exact(want: string, have: string, first: number): Match {
  let at = first
  // One at the beginning of a word is better than an earlier one inside.
  for (let next = first; next >= 0; next = have.indexOf(want, next + 1)) {
    if (!isStart(have, next)) continue
    at = next
    break
  }
  const start = at === 0 ? atStart : isStart(have, at) ? atWord : plain
  const all = want.length === have.length ? 12 : 0
  return { score: start + (want.length - 1) * (adjacent + plain) + all - at * lateness, at: Array.from({ length: want.length }, (_, n) => at + n) }
}

// Memory for `best`, which is asked for each of thousands of names: it grows to the longest.
let rows: [Float64Array, Float64Array] = [new Float64Array(0), new Float64Array(0)]
let taken = new Int32Array(0)

function scores(n: number): [Float64Array, Float64Array] {
  if (rows[0].length < n) rows = [new Float64Array(2 * n), new Float64Array(2 * n)]
  return rows
}

function waysOf(n: number): Int32Array {
  if (taken.length < n) taken = new Int32Array(2 * n)
  return taken
}

/** best is the best way to place the letters: for each letter and place the best score that ends there, by rows. */
function best(want: string, have: string, text: string): Match | undefined {
  let from = 0
  for (const c of want) {
    from = have.indexOf(c, from) + 1
    if (from === 0) return undefined
  }
  const n = have.length
  let [before, now] = scores(n)
  before.fill(-Infinity, 0, n)
  const ways = waysOf(want.length * n)
  for (let row = 0; row < want.length; row++) {
    now.fill(-Infinity, 0, n)
    const way = row * n
    let top = -Infinity // the best of the row before, less its gap up to here
    let topAt = -1
    for (let i = row; i < n; i++) {
      const earlier = i > 0 ? (before[i - 1] ?? -Infinity) : -Infinity
      top -= gap
      if (i > 1) {
        const candidate = (before[i - 2] ?? -Infinity) - gap
        if (candidate > top) {
          top = candidate
          topAt = i - 2
        }
      }
      if (have[i] !== want[row]) continue
      const own = i === 0 ? atStart : isStart(text, i) ? atWord : plain
      if (row === 0) {
        now[i] = own - i * lateness
        continue
      }
      const beside = earlier + adjacent + plain
      const apart = top + own
      if (beside >= apart) {
        now[i] = beside
        ways[way + i] = i - 1
      } else {
        now[i] = apart
        ways[way + i] = topAt
      }
    }
    ;[before, now] = [now, before]
  }
  let end = -1
  for (let i = 0; i < n; i++) if ((before[i] ?? -Infinity) > (before[end] ?? -Infinity)) end = i
  if (end < 0) return undefined
  const at: number[] = []
  for (let row = want.length - 1, i = end; row >= 0; row--) {
    at.unshift(i)
    i = row > 0 ? (ways[row * n + i] ?? -1) : -1
  }
  return { score: before[end] ?? 0, at }
}

const separators = ' -_.,/#@(\u00b7'

function isStart(text: string, at: number): boolean {
  if (at === 0) return true
  const previous = text.charAt(at - 1)
  if (separators.includes(previous)) return true
  const c = text.charCodeAt(at)
  const before = text.charCodeAt(at - 1)
  return c >= 65 && c <= 90 && before >= 97 && before <= 122 // a hump: "fieldNotes"
}
