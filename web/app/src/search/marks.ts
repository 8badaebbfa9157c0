/** Where the words that were looked for stand in a text. */
import { foldText, wordsOf } from '@plenum/sdk/chat'

/** Part of a text; `marked`: it was looked for. */
export interface Part {
  readonly text: string
  readonly marked: boolean
}

/** marks are the parts of a text: words that begin as one of the query's are marked, as far as they were typed. */
export function marks(text: string, query: string): readonly Part[] {
  const wanted = wordsOf(foldText(query))
  const parts: Part[] = []
  let from = 0
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    const folded = foldText(word)
    const length = Math.max(0, ...wanted.filter((one) => folded.startsWith(one)).map((one) => one.length))
    if (length === 0) continue
    if (index > from) parts.push({ text: text.slice(from, index), marked: false })
    // Where folding changes lengths (ß, accents that stand by themselves), the whole word is marked.
    const to = index + (folded.length === word.length ? length : word.length)
    parts.push({ text: text.slice(index, to), marked: true })
    from = to
  }
  if (from < text.length) parts.push({ text: text.slice(from), marked: false })
  return parts
}

/** excerpt is one line of a text, of about `most` characters, in which the first word that was looked for is to be seen. */
export function excerpt(text: string, query: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= most) return line
  let before = 0
  for (const part of marks(line, query)) {
    if (part.marked) break
    before += part.text.length
  }
  const from = before >= line.length || before < most * 0.6 ? 0 : line.lastIndexOf(' ', before - Math.floor(most * 0.3)) + 1
  const cut = line.slice(from, from + most)
  return `${from > 0 ? '…' : ''}${from + most < line.length ? `${cut.slice(0, Math.max(cut.lastIndexOf(' '), most / 2))}…` : cut}`
}
