import { commonPrefix, commonSuffix, partOf, type Part } from './textdiff.ts'
import { isHigh, isLow } from './utf16.ts'

/**
 * merged brings the parts of a difference into order: between two kept ones at most one removal and then one addition, what they have in common at
 * their ends is kept, and a change slides over a kept part that it repeats. whole makes sure that the result cuts no surrogate pair; the parts may.
 */
export function merged(parts: readonly Part[], whole: boolean): Part[] {
  for (;;) {
    const out = joined(parts, whole)
    if (!slid(out)) return out
    parts = out
  }
}

/** Gap is what lies between two kept parts. */
interface Gap {
  removed: string
  added: string
}

/** joined is the first half of merged. It changes none of the parts that it gets. */
function joined(parts: readonly Part[], whole: boolean): Part[] {
  const out: Part[] = [] // Invariant: ends with a kept part, or is empty, while the gap is open
  let gap: Gap = { removed: '', added: '' }
  for (let i = 0; i <= parts.length; i++) {
    const last = i === parts.length
    const part = parts[i] ?? partOf('kept', '')
    if (part.kind !== 'kept') {
      gap[part.kind] += part.text
      continue
    }
    let text = part.text
    if (text === '' && !last) continue
    if (whole) {
      takeHigh(gap, out)
      if (isLow(text.charCodeAt(0))) {
        gap.removed += text.charAt(0)
        gap.added += text.charAt(0)
        text = text.slice(1)
      }
      if (text === '' && !last) continue // the gap goes on
    }
    text = closed(gap, out, text)
    const before = out.at(-1)
    if (before?.kind === 'kept') before.text += text
    else out.push(partOf('kept', text))
    gap = { removed: '', added: '' }
  }
  if (out.at(-1)?.text === '') out.pop()
  return out
}

/** takeHigh takes half of a pair from the end of the kept part before the gap. If nothing is left of that part, the gap before it is part of this one. */
function takeHigh(gap: Gap, out: Part[]): void {
  const before = out.at(-1)
  if (before === undefined || !isHigh(before.text.charCodeAt(before.text.length - 1))) return
  const stray = before.text.slice(-1)
  gap.removed = stray + gap.removed
  gap.added = stray + gap.added
  before.text = before.text.slice(0, -1)
  if (before.text !== '') return
  out.pop()
  for (const kind of ['added', 'removed'] as const) {
    const change = out.at(-1)
    if (change?.kind !== kind) continue
    gap[kind] = change.text + gap[kind]
    out.pop()
  }
}

/** closed puts the gap behind out, less what its removal and addition have in common at their ends, which goes to the kept parts around it. */
function closed(gap: Gap, out: Part[], next: string): string {
  let { removed, added } = gap
  if (removed !== '' && added !== '') {
    const prefix = commonPrefix(added, removed)
    if (prefix > 0) {
      const before = out.at(-1)
      if (before === undefined) out.push(partOf('kept', added.slice(0, prefix)))
      else before.text += added.slice(0, prefix)
      removed = removed.slice(prefix)
      added = added.slice(prefix)
    }
    const suffix = commonSuffix(added, removed)
    if (suffix > 0) {
      next = added.slice(added.length - suffix) + next
      removed = removed.slice(0, removed.length - suffix)
      added = added.slice(0, added.length - suffix)
    }
  }
  if (removed !== '') out.push(partOf('removed', removed))
  if (added !== '') out.push(partOf('added', added))
  return next
}

/**
 * slid slides single changes over the kept part before or after them where that part is a repetition: A<BA>C is <AB>AC. It works in place, and
 * reports whether any did.
 */
function slid(parts: Part[]): boolean {
  let moved = false
  for (let i = 1; i < parts.length - 1; i++) {
    const before = parts[i - 1] as Part
    const change = parts[i] as Part
    const after = parts[i + 1] as Part
    if (before.kind !== 'kept' || after.kind !== 'kept') continue
    if (change.text.endsWith(before.text)) {
      change.text = before.text + change.text.slice(0, change.text.length - before.text.length)
      after.text = before.text + after.text
      parts.splice(i - 1, 1)
      moved = true
    } else if (change.text.startsWith(after.text)) {
      before.text += after.text
      change.text = change.text.slice(after.text.length) + after.text
      parts.splice(i + 1, 1)
      moved = true
    }
  }
  return moved
}
