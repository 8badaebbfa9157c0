/**
 * What many texts together may ask of the parser: a screen of those that each cost nearly all that one may, or one that is edited again and again. What costs little is
 * read at once, whatever there is of it; the rest as far as there is something left, which comes back by and by. Until its turn a text is shown as it stands.
 */
import { mostCost } from './bounds.ts'

/** mostPrompt is what a text may cost that is always read at once: it is one of some dozen lines. */
export const mostPrompt = mostCost / 12

/** mostAtOnce is how much may be spent without a pause, and perSecond how much comes back in a second: one of the longest. */
export const mostAtOnce = 4 * mostCost
export const perSecond = mostCost

interface Waiting {
  readonly cost: number
  readonly run: () => void
}

let left = mostAtOnce
let at = -Infinity // when that was so, ms
let timer: ReturnType<typeof setTimeout> | undefined
const waiting = new Set<Waiting>()

/** takes says whether so much may be spent now; then it is. What waits goes first. */
export function takes(cost: number): boolean {
  if (cost <= mostPrompt) return true
  if (waiting.size > 0 || now() < cost) return false
  left -= cost
  return true
}

/** wait calls back once, when so much may be spent, unless the function that it returns is called before. Who waits last is looked at first, so it is their turn first. */
export function wait(cost: number, run: () => void): () => void {
  const one = { cost, run }
  waiting.add(one)
  arm()
  return () => {
    waiting.delete(one)
    arm()
  }
}

/** arm waits for the next one: a task of its own for each, so that whatever else is to be done comes in between. */
function arm(): void {
  clearTimeout(timer)
  const next = [...waiting].at(-1)
  if (next !== undefined) timer = setTimeout(turn, (Math.max(0, next.cost - now()) / perSecond) * 1_000, next)
}

function turn(next: Waiting): void {
  if (now() >= next.cost) {
    left -= next.cost
    waiting.delete(next)
    next.run()
  }
  arm()
}

function now(): number {
  const ms = performance.now()
  left = Math.min(mostAtOnce, left + (Math.max(0, ms - at) / 1_000) * perSecond)
  at = ms
  return left
}
