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

/** Titles and details, folded: once for each candidate, however many letters are typed. */
const folded = new WeakMap<Candidate, { readonly title: string; readonly detail: string }>()
function foldedOf(candidate: Candidate): { readonly title: string; readonly detail: string } {
  let found = folded.get(candidate)
  if (!found) {
    found = { title: fold(candidate.title), detail: fold(candidate.detail ?? '') }
    folded.set(candidate, found)
  }
  return found
}

/** rank is the best of some candidates, best first; without words those of the highest weight. */
export function rank(candidates: readonly Candidate[], words: string, limit = most): readonly Found[] {
  const want = fold(words.trim())
  const found: Found[] = []
  for (const candidate of candidates) {
    const weight = candidate.weight ?? 0
    if (want === '') {
      found.push({ candidate, at: [], score: weight })
      continue
    }
    const { title: foldedTitle, detail: foldedDetail } = foldedOf(candidate)
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

/** groups orders the groups by the best that is in them; without words they stay as they are. */
export function groups(all: readonly { readonly id: string; readonly title: string; readonly candidates: readonly Candidate[] }[], words: string): readonly Group[] {
  const made = all.map(({ id, title, candidates }) => ({ id, title, found: rank(candidates, words, words.trim() ? most : 6) })).filter((group) => group.found.length > 0)
  if (words.trim()) made.sort((a, b) => (b.found[0]?.score ?? 0) - (a.found[0]?.score ?? 0))
  return made
}
