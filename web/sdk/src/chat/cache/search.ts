import type { Message } from '../../proto/plenum/chat/v1/chat.ts'
import { foldText, wordsOf } from '../fold.ts'
import type { Cache } from './cache.ts'
import { SCANNED } from './limits.ts'
import type { Row } from './schema.ts'

/** Hit is a message that a search has found. */
export interface Hit {
  readonly channel: string
  readonly message: Message
}

/**
 * Query is what is looked for: messages that have all its words, each as the beginning of a word, without regard to case and accents. Without words it needs a
 * channel or an author, and finds all of theirs.
 */
export interface Query {
  readonly text: string
  /** In this channel only. */
  readonly channel?: string
  /** By this author only. */
  readonly author?: string
  /** From this time on, and before that one; Unix milliseconds. */
  readonly fromMs?: number
  readonly beforeMs?: number
}

/**
 * search goes through the messages on disk, the newest first, and yields what a step of SCANNED has found, which may be nothing: between two steps the page
 * does other things, and who has enough stops. It reads the messages themselves, without an index of words: see README.md for what either costs.
 */
export async function* search(cache: Cache, query: Query, step = SCANNED): AsyncGenerator<readonly Hit[]> {
  const words = wordsOf(foldText(query.text))
  if (words.length === 0 && query.channel === undefined && query.author === undefined) return
  const { fromMs = -Infinity, beforeMs } = query
  let last: Pick<Row, 'newest'> | undefined = beforeMs === undefined ? undefined : { newest: [-beforeMs, '\uffff', 0] }
  do {
    const rows = await cache.newest(last, step)
    last = rows.length < step ? undefined : rows.at(-1)
    const hits: Hit[] = []
    for (const { channel, message } of rows) {
      if (message.timeMs < fromMs) {
        last = undefined // all that follow are older
        break
      }
      if ((query.channel !== undefined && channel !== query.channel) || (query.author !== undefined && message.author !== query.author)) continue
      if (has(message.text, words)) hits.push({ channel, message })
    }
    yield hits
  } while (last !== undefined)
}

/** has says that each of the words begins a word of the text. Most texts don't have the words at all, and are not taken apart. */
function has(text: string, words: readonly string[]): boolean {
  if (text === '') return false
  const folded = foldText(text)
  if (!words.every((w) => folded.includes(w))) return false
  const there = wordsOf(folded)
  return words.every((w) => there.some((t) => t.startsWith(w)))
}
