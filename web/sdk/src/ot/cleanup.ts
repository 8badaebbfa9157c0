import { merged } from './merge.ts'
import { commonSuffix, overlap, partOf, type Part } from './textdiff.ts'
import { cutsPair } from './utf16.ts'

/**
 * cleaned makes a difference readable: kept parts that are small against the changes around them go, changes move to the borders of words and lines,
 * and what a removal and the addition after it overlap in is kept.
 */
export function cleaned(parts: Part[]): Part[] {
  if (withoutTrifles(parts)) parts = merged(parts, false)
  aligned(parts)
  return overlaps(parts)
}

/** withoutTrifles replaces kept parts that are no longer than the changes on each side, in place. It reports whether there were any. */
function withoutTrifles(parts: Part[]): boolean {
  let changed = false
  const places: number[] = [] // of the kept parts that may still go
  let candidate = ''
  // Lengths of the changes around the candidate.
  let before = { added: 0, removed: 0 }
  let after = { added: 0, removed: 0 }
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part
    if (part.kind === 'kept') {
      places.push(i)
      before = after
      after = { added: 0, removed: 0 }
      candidate = part.text
      continue
    }
    after[part.kind] += part.text.length
    const n = candidate.length
    if (n === 0 || n > Math.max(before.added, before.removed) || n > Math.max(after.added, after.removed)) continue
    const at = places.at(-1) as number
    parts.splice(at, 1, partOf('removed', candidate), partOf('added', candidate))
    places.length = Math.max(places.length - 2, 0) // without this one, and the one before it, which is to be looked at again
    i = places.at(-1) ?? -1
    before = { added: 0, removed: 0 }
    after = { added: 0, removed: 0 }
    candidate = ''
    changed = true
  }
  return changed
}

/** aligned moves each single change between two kept parts sideways to where its borders look best, in place. It never moves into a surrogate pair. */
function aligned(parts: Part[]): void {
  for (let i = 1; i < parts.length - 1; i++) {
    const [before, change, after] = parts.slice(i - 1, i + 2) as [Part, Part, Part]
    if (before.kind !== 'kept' || after.kind !== 'kept') continue
    const all = before.text + change.text + after.text
    const n = change.text.length
    let at = before.text.length - commonSuffix(before.text, change.text) // as far to the left as it goes
    let best = at
    let bestScore = -1
    for (; ; at++) {
      if (!cutsPair(all, at) && !cutsPair(all, at + n)) {
        const score = borderScore(all, 0, at, at + n) + borderScore(all, at, at + n, all.length)
        if (score >= bestScore) {
          best = at
          bestScore = score
        }
      }
      if (at + n >= all.length || all.charCodeAt(at) !== all.charCodeAt(at + n)) break
    }
    if (best === before.text.length) continue
    before.text = all.slice(0, best)
    change.text = all.slice(best, best + n)
    after.text = all.slice(best + n)
    if (best === 0) {
      parts.splice(i - 1, 1)
      i--
    }
    if (best + n === all.length) {
      parts.splice(i + 1, 1)
      i--
    }
  }
}

/** overlaps keeps what ends a removal and begins the addition after it, or the other way round, if it is at least half of either. */
function overlaps(parts: readonly Part[]): Part[] {
  const out: Part[] = []
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part
    const next = parts[i + 1]
    if (part.kind !== 'removed' || next?.kind !== 'added') {
      out.push(part)
      continue
    }
    i++
    const gone = part.text
    const come = next.text
    const n = overlap(gone, come)
    const m = overlap(come, gone)
    if (n >= m && (2 * n >= gone.length || 2 * n >= come.length)) {
      out.push(partOf('removed', gone.slice(0, gone.length - n)), partOf('kept', come.slice(0, n)), partOf('added', come.slice(n)))
    } else if (n < m && (2 * m >= gone.length || 2 * m >= come.length)) {
      out.push(partOf('added', come.slice(0, come.length - m)), partOf('kept', gone.slice(0, m)), partOf('removed', gone.slice(m)))
    } else {
      out.push(part, next)
    }
  }
  return out
}

/** borderScore says how good the border at `at` is between two parts of a text, from 0, within a word, to 6, at an end. */
function borderScore(all: string, from: number, at: number, to: number): number {
  if (from === at || at === to) return 6
  const a = all.charAt(at - 1)
  const b = all.charAt(at)
  if ((isBreak(a) && /\n\r?\n$/.test(all.slice(Math.max(from, at - 3), at))) || (isBreak(b) && /^\r?\n\r?\n/.test(all.slice(at, Math.min(to, at + 4))))) return 5
  if (isBreak(a) || isBreak(b)) return 4
  if (!isWord(a) && !isSpace(a) && isSpace(b)) return 3
  if (isSpace(a) || isSpace(b)) return 2
  return isWord(a) && isWord(b) ? 0 : 1
}

const isBreak = (c: string) => c === '\n' || c === '\r'
const isWord = (c: string) => /[0-9A-Za-z]/.test(c)
const isSpace = (c: string) => /\s/.test(c)
