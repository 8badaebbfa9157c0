/**
 * Markdown of people, who may be hostile: read into a tree (parse.ts) as far as that is quick (bounds.ts), of which a short list of elements is taken over
 * (rich.ts), which are made one by one (dom.ts). There is no HTML on the way, so that nothing has to be cleaned.
 */
export { dom, type Shown } from './dom.ts'
export { plain, rich, type Rich } from './rich.ts'
import { costOf, isBounded, mostCost } from './bounds.ts'
import { parse } from './parse.ts'
import { isSeen, plain, rich, type Rich } from './rich.ts'
import { takes, wait } from './turns.ts'

/** special finds whatever Markdown could read as more than text: most messages have none of it. */
const special = /[\\`*_{}[\]()#+\-!|~<>&@:\n=]|\.|\d\)/

const read = new Map<string, Rich[]>()
const kept = 500 // the newest; one more takes the place of the oldest

/** markdown is what is shown of a text, in a bounded time and without fail. The last ones are remembered, for lists ask again as they scroll. */
export function markdown(text: string): Rich[] {
  const known = read.get(text)
  if (known) return known
  const made = formatted(text) ?? asItStands(text)
  if (read.size >= kept) read.delete(read.keys().next().value ?? '')
  read.set(text, made)
  return made
}

const asItStands = (text: string): Rich[] => [{ tag: 'p', children: [text] }]

/**
 * inTurn is markdown, unless many others are read already: then it is the text as it stands, and `again` is called when it is to be asked again, unless `leave` is
 * called before.
 */
export function inTurn(text: string, again: () => void): { readonly parts: Rich[]; readonly leave?: () => void } {
  const cost = read.has(text) || !special.test(text) ? 0 : costOf(text)
  if (cost === Infinity || takes(cost)) return { parts: markdown(text) }
  const leave = wait(cost, () => {
    markdown(text) // is remembered
    again()
  })
  return { parts: asItStands(text), leave }
}

/** plainText is what a text says, without its marks, for lists that show parts of many: what costs more than a tenth of the most keeps them. */
export function plainText(text: string): string {
  return read.has(text) || isBounded(text, mostCost / 10) ? plain(markdown(text)) : text
}

/** formatted is undefined where a text is shown as it stands: where there is nothing to read in it, or too much, or where nothing would be seen. */
function formatted(text: string): Rich[] | undefined {
  if (!special.test(text) || !isBounded(text)) return undefined
  try {
    const made = rich(parse(text), text)
    return made.some(isSeen) ? made : undefined
  } catch (error) {
    console.warn('a message is shown as it stands, for it could not be parsed', error)
    return undefined
  }
}
