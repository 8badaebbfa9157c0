import { expect, test } from 'vitest'
import { modules } from 'virtual:modules'
import { register } from '../module.ts'
import { find } from '../shell/paths.ts'
import { messagePath, offsetOf, placeOf } from './links.ts'

test('a message has a path that leads to it', () => {
  const { routes } = register(modules)
  expect(messagePath('c1', 7)).toBe('/c/c1/7')
  expect(messagePath('c1', 7, 7)).toBe('/c/c1/7') // the first one of a thread stands in its channel
  expect(messagePath('c1', 9, 7)).toBe('/t/c1/7/9')
  expect(find(routes, '/c/c1/7')?.params).toEqual({ channel: 'c1', message: '7' })
  expect(find(routes, '/t/c1/7/9')?.params).toEqual({ channel: 'c1', root: '7', reply: '9' })
})

test('a place is a message, or what is unread', () => {
  expect(placeOf('7')).toEqual({ kind: 'message', offset: 7 })
  for (const none of [undefined, '', '0', '-1', '1.5', 'x']) expect(placeOf(none)).toEqual({ kind: 'unread' })
})

test('an offset is one that a message may have, written as one is', () => {
  expect(offsetOf('9007199254740991')).toBe(9007199254740991)
  for (const none of [undefined, '', '0', '-1', '1.5', '1e3', '0x2', ' 7', '007', 'NaN', 'Infinity', '9007199254740993']) expect(offsetOf(none)).toBeUndefined()
})
