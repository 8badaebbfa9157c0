import { plainText } from '../markdown/markdown.ts'

/** As much of a message as is told, in characters as people count them. */
export const longest = 180

const characters = new Intl.Segmenter()

/** lineOf is what was written as one line, without its marks. */
export function lineOf(text: string): string {
  const line = plainText(text.slice(0, 16 * longest)).replace(/\s+/g, ' ').trim()
  let shown = ''
  let n = 0
  for (const { segment } of characters.segment(line)) {
    if (++n > longest) return `${shown.trimEnd()}…`
    shown += segment
  }
  return line
}
