import type { Dependencies } from '../edge/causal.ts'
import { ChannelEvent } from '../proto/plenum/chat/v1/chat.ts'

/** chatDependencies reads what a message's author had seen as it was written, for `Options.dependencies`: then it is held back until that was shown, 2 s at most. */
export const chatDependencies: Dependencies = (topic, { body }) => {
  if (!topic.startsWith('chat.channel/') || body.length === 0) return []
  const { event } = ChannelEvent.decode(body)
  return event?.$case === 'posted' ? event.value.context.flatMap(({ topic: of, cursor }) => (cursor === undefined ? [] : [{ topic: of, cursor }])) : []
}
