/** Messages in the palette. */
import { messagePath } from '../chat/links.ts'
import { relative } from '../i18n/format.ts'
import { plainText } from '../markdown/markdown.ts'
import { channelName, nameApart } from '../model/context.ts'
import type { Model } from '../model/model.ts'
import type { Candidate } from '../module.ts'
import { excerpt, marks } from './marks.ts'
import { parse, resolve } from './query.ts'

/** How long it waits for a further letter, in ms; how many messages it shows; and how many steps of a search it takes: 10,000 messages. */
const pause = 60
const most = 5
const steps = 5

/** find is what the palette shows of messages with these words. Of one letter there is nothing to be found. */
export async function find(words: string, model: Model, signal: AbortSignal): Promise<readonly Candidate[]> {
  const late = () => signal.aborted
  await new Promise((done) => setTimeout(done, pause))
  if (late() || words.length < 2) return []
  const query = resolve(parse(words), model, Date.now())
  if (query === undefined || 'kind' in query) return []
  const found: Candidate[] = []
  let n = 0
  for await (const hits of model.search(query)) {
    if (late()) return []
    for (const { channel, message } of hits) {
      const title = excerpt(plainText(message.text), query.text, 72)
      const where = model.channel(channel)
      found.push({
        id: `${channel}/${message.offset}`,
        title,
        at: marks(title, query.text).reduce<{ at: number[]; from: number }>((all, part) => ({ at: part.marked ? [...all.at, ...Array.from(part.text, (_, i) => all.from + i)] : all.at, from: all.from + part.text.length }), { at: [], from: 0 }).at,
        detail: `${nameApart(model, message.author, '')} · ${where ? channelName(model, where) : ''} · ${relative(message.timeMs, Date.now())}`,
        person: message.author,
        run: (shell) => shell.go(messagePath(channel, message.offset, message.alsoInChannel ? 0 : message.root)),
      })
      if (found.length === most) return found
    }
    if (++n === steps) break
  }
  return found
}
