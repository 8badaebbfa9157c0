/** What the palette shows for some words. */
import type { Candidate } from '../../module.ts'
import { fold, fuzzy } from './fuzzy.ts'

export interface Found {
  readonly candidate: Candidate
  /** What of the title is marked. */
  readonly at: readonly number[]
  readonly score: number
}

const inDetail = 0.55 // what is found behind the title is worth less
const most = 9 // of a group
const few = 6 // while nothing is typed

/** Titles and details, folded, and which letters are in them: once for each candidate, however many letters are typed. */
interface Folded {
  readonly title: string
  readonly detail: string
  readonly letters: number
}

const folded = new WeakMap<Candidate, Folded>()
function foldedOf(candidate: Candidate): Folded {
  let found = folded.get(candidate)
  if (!found) {
    const [title, detail] = [fold(candidate.title), fold(candidate.detail ?? '')]
    found = { title, detail, letters: lettersOf(title) | lettersOf(detail) }
    folded.set(candidate, found)
  }
  return found
}

/** lettersOf has a bit for each letter of a folded text: a to z, and one for every fifth of what is beyond. Blanks have none. */
function lettersOf(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 97 && code <= 122) bits |= 1 << (code - 97)
    else if (code !== 32) bits |= 1 << (26 + (code % 5))
  }
  return bits
}

/** Work counts what a search has done: `compared` are candidates whose letters were looked at in their order. */
export interface Work {
  compared: number
}

/** rank is the best of some candidates, best first; without words those of the highest weight. */
export function rank(candidates: readonly Candidate[], words: string, limit = most, work?: Work): readonly Found[] {
  const want = fold(words.trim())
  const letters = lettersOf(want)
  const found: Found[] = []
  for (const candidate of candidates) {
    const weight = candidate.weight ?? 0
    if (want === '') {
      found.push({ candidate, at: [], score: weight })
      continue
    }
    const { title: foldedTitle, detail: foldedDetail, letters: has } = foldedOf(candidate)
    if ((has & letters) !== letters) continue // most don't even have the letters
    if (work) work.compared++
    const title = fuzzy(want, candidate.title, foldedTitle)
    const detail = candidate.detail === undefined ? undefined : fuzzy(want, candidate.detail, foldedDetail)
    const score = Math.max(title?.score ?? -Infinity, (detail?.score ?? -Infinity) * inDetail)
    // Letters strewn over a long text are no find.
    if (score < want.length * 2.2) continue
    found.push({ candidate, at: title?.at ?? [], score: score + weight })
  }
  found.sort((a, b) => b.score - a.score || a.candidate.title.length - b.candidate.title.length)
  return found.slice(0, limit)
}

export interface Group {
  readonly id: string
  readonly title: string
  readonly found: readonly Found[]
}

/** Known is what one provider knows. `idle`: shown in its own order. */
export interface Known {
  readonly id: string
  readonly title: string
  readonly candidates: readonly Candidate[]
  readonly idle?: boolean
}

/** groups orders the groups by the best that is in them; without words they stay as they are. */
export function groups(all: readonly Known[], words: string): readonly Group[] {
  const best = ({ candidates, idle }: Known) => (idle ? candidates.slice(0, few).map((candidate) => ({ candidate, at: [], score: 0 })) : rank(candidates, words, words.trim() ? most : few))
  const made = all.map((known) => ({ id: known.id, title: known.title, found: best(known) })).filter((group) => group.found.length > 0)
  if (words.trim()) made.sort((a, b) => (b.found[0]?.score ?? 0) - (a.found[0]?.score ?? 0))
  return made
}
