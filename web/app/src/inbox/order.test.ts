import { expect, test } from 'vitest'
import type { Followed } from './inbox.ts'
import { createOrder } from './order.ts'

const thread = (key: string, unread: number): Followed => ({ key, channel: 'c', root: 1, replies: 1, lastReply: 2, lastReplyMs: 0, read: 0, unread, following: true })

test('unread threads stand first, and stay there as they are read', () => {
  const order = createOrder()
  expect(order([thread('a', 0), thread('b', 2), thread('c', 0)])).toEqual({ unread: ['b'], read: ['a', 'c'] })
  expect(order([thread('a', 0), thread('b', 0), thread('c', 1)])).toEqual({ unread: ['b', 'c'], read: ['a'] })
  expect(order([thread('b', 0)])).toEqual({ unread: ['b'], read: [] })
})
