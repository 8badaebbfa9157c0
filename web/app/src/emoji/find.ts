/** Emoji by what is typed. */
import type { Emoji } from './emoji.ts'

const folded = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
const apart = /[\s_:-]+/

/** How well a word is met, the smaller the better; undefined: not at all. */
function rank({ codes, name, tags }: Emoji, word: string): number | undefined {
  if (codes.includes(word)) return 0
  if (codes.some((code) => code.startsWith(word))) return 1
  if (folded(name).startsWith(word)) return 2
  if (codes.some((code) => code.split('_').some((part) => part.startsWith(word)))) return 3
  if (folded(name).split(apart).some((part) => part.startsWith(word))) return 3
  return tags.some((tag) => tag.startsWith(word)) ? 4 : undefined
}

/** find is what a search shows, the best first: each word is met by the beginning of a code, of a word of the name, or of a tag. */
export function find(all: readonly Emoji[], words: string, most: number): readonly Emoji[] {
  const whole = folded(words.trim()).replace(/^:|:$/g, '')
  const parts = whole.split(apart).filter((part) => part !== '')
  if (parts.length === 0) return []
  const found: { emoji: Emoji; score: number }[] = []
  for (const emoji of all) {
    let score = emoji.codes.includes(whole) || folded(emoji.name) === whole ? -1 : 0
    for (const part of parts) {
      const one = rank(emoji, part)
      if (one === undefined) {
        score = NaN
        break
      }
      score += one
    }
    if (!Number.isNaN(score)) found.push({ emoji, score })
  }
  return found.sort((a, b) => a.score - b.score).slice(0, most).map(({ emoji }) => emoji) // sort is stable: the order of the data otherwise
}

/** completions are for what is typed behind a colon. */
export function completions(all: readonly Emoji[], word: string, most: number): readonly { readonly emoji: Emoji; readonly code: string }[] {
  const begin = folded(word)
  return find(all, word, most).map((emoji) => ({ emoji, code: emoji.codes.find((code) => code.startsWith(begin)) ?? emoji.codes[0] ?? '' }))
}

/**
 * step is where an arrow leads in sections of `sizes` emoji, each in rows of `columns`. Left and right are as in a text; up and down stay in their column, or go to
 * the last one of a row that is shorter; at either end it stays. `at` < 0 is before the first.
 */
export function step(sizes: readonly number[], at: number, key: 'next' | 'before' | 'down' | 'up', columns: number): number {
  const count = sizes.reduce((sum, size) => sum + size, 0)
  if (count === 0) return -1
  if (at < 0) return 0
  if (key === 'next') return Math.min(at + 1, count - 1)
  if (key === 'before') return Math.max(at - 1, 0)
  const rows: { start: number; length: number }[] = []
  let start = 0
  for (const size of sizes) {
    for (let row = 0; row < size; row += columns) rows.push({ start: start + row, length: Math.min(columns, size - row) })
    start += size
  }
  const here = rows.findLastIndex((row) => row.start <= at)
  const there = rows[here + (key === 'down' ? 1 : -1)]
  if (there === undefined) return at
  return there.start + Math.min(at - (rows[here]?.start ?? 0), there.length - 1)
}
