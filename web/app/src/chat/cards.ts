import type { Rich } from '../markdown/markdown.ts'
import type { Card } from '../module.ts'

/** How many cards one message has at most: of its first links. */
export const mostCards = 3

/** Carded is a link that has a card. */
export interface Carded {
  readonly card: Card
  readonly url: URL
}

/** cardsOf are the cards of a message's links, in their order: of each place once, by the first module that knows it. */
export function cardsOf(parts: readonly Rich[], cards: readonly Card[]): readonly Carded[] {
  const found = new Map<string, Carded>()
  if (cards.length > 0) collect(parts, cards, found)
  return [...found.values()]
}

function collect(parts: readonly Rich[], cards: readonly Card[], found: Map<string, Carded>): void {
  for (const part of parts) {
    if (found.size >= mostCards) return
    if (typeof part === 'string') continue
    if (part.tag !== 'a') collect(part.children, cards, found)
    else if (part.href !== undefined && part.host === undefined && !found.has(part.href)) { // one that says to lead elsewhere than it does gets no card
      const url = new URL(part.href)
      const card = cards.find((one) => one.matches(url))
      if (card) found.set(part.href, { card, url })
    }
  }
}
