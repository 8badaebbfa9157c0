/**
 * Markdown of people, who may be hostile: read into a tree (parse.ts), of which a short list of elements is taken over (rich.ts), which are made one by one
 * (dom.ts). There is no HTML on the way, so that nothing has to be cleaned.
 */
export { dom, type Shown } from './dom.ts'
export { plain, rich, type Rich } from './rich.ts'
import { parse } from './parse.ts'
import { rich, type Rich } from './rich.ts'

/** special finds whatever Markdown could read as more than text: most messages have none of it. */
const special = /[\\`*_{}[\]()#+\-!|~<>&@:\n]|\.|\d\)/

/** Quotes in quotes, and a mass of marks, take the parser seconds: such a text is shown as it stands. Nobody writes so who wants to be read. */
const nested = /^(?:[ \t]*>){16}/m
const mark = /[`*_[\]<>|~]/g
const marks = 2_000

const read = new Map<string, Rich[]>()
const kept = 500 // the newest; one more takes the place of the oldest

/** markdown is what is shown of a text. The last ones are remembered, for lists ask again as they scroll. */
export function markdown(text: string): Rich[] {
  const known = read.get(text)
  if (known) return known
  const made: Rich[] = special.test(text) && !hostile(text) ? rich(parse(text)) : [{ tag: 'p', children: [text] }]
  if (read.size >= kept) read.delete(read.keys().next().value ?? '')
  read.set(text, made)
  return made
}

function hostile(text: string): boolean {
  return nested.test(text) || (text.length > marks && (text.match(mark)?.length ?? 0) > marks)
}
