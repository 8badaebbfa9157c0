import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { login, rest, start, subscribed } from '../../test/edge.ts'
import { encode, message } from '../method.ts'
import { ChannelEvent, Message } from '../proto/plenum/chat/v1/chat.ts'
import { Event } from '../proto/plenum/edge/v1/edge.ts'
import { chatDependencies } from './dependencies.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

const at = (offset: number) => ({ epoch: 1, offset })
const posted = (offset: number, text: string, ...context: [topic: string, offset: number][]) => message(Event, {
  offset,
  body: encode(ChannelEvent, { event: { $case: 'posted', value: message(Message, { text, context: context.map(([topic, seen]) => ({ topic, cursor: at(seen) })) }) } }),
})

test('a message waits until what its author had seen elsewhere is shown', async () => {
  const { edge, connection } = start({ dependencies: chatDependencies })
  const shown: string[] = []
  const [question, answer] = ['chat.channel/question', 'chat.channel/answer'] as const
  for (const topic of [question, answer]) {
    connection.follow(topic, (u) => {
      if (u.kind !== 'events') return
      for (const { body } of u.events) {
        const { event } = ChannelEvent.decode(body)
        if (event?.$case === 'posted') shown.push(event.value.text)
      }
    }, { from: at(0) })
  }
  const peer = await login(edge)
  const id = peer.take('subscribe')[0]?.id ?? 0
  peer.say(subscribed(id, ...[question, answer].map((topic) => ({ topic, start: at(0), head: at(0) }))))
  peer.say({ $case: 'events', value: { topic: answer, events: [posted(1, 'an answer', [question, 1])], upto: 0 } })
  await rest(100)
  expect(shown).toEqual([])
  peer.say({ $case: 'events', value: { topic: question, events: [posted(1, 'a question')], upto: 0 } })
  expect(shown).toEqual(['a question', 'an answer'])
  expect(connection.violations).toBe(0)
  connection.close()
})

test('what is no message, or no chat, depends on nothing', () => {
  expect(chatDependencies('chat.channel/c', message(Event, { offset: 1 }))).toEqual([])
  expect(chatDependencies('docs.document/d', message(Event, { offset: 1, body: new Uint8Array([255]) }))).toEqual([])
})
