import { expect, it } from 'vitest'
import { forgetPerson } from '../shell/stored.ts'
import { parse, quick, recent, used } from './recent.ts'

it('survives anything', () => {
  for (const stored of [null, '', '{', '[]', '7', '{"recent":3,"tone":9}', '{"recent":[1,"",null],"tone":"2"}']) expect(parse(stored)).toEqual({ recent: [], tone: 0 })
})

it('keeps what is right', () => {
  expect(parse('{"recent":["🎉",7],"tone":2}')).toEqual({ recent: ['🎉'], tone: 2 })
  expect(parse(JSON.stringify({ recent: Array(99).fill('🎉') })).recent).toHaveLength(24)
})

it('offers the usual ones, and the last ones before them, each once', () => {
  expect(quick(3)).toEqual(['👍', '❤️', '😂'])
  used('👀')
  expect(recent()).toEqual(['👀'])
  expect(quick(3)).toEqual(['👀', '👍', '❤️'])
  expect(quick(9).filter((sign) => sign === '👀')).toHaveLength(1)
})

it('goes with who has signed out', () => {
  used('🎉')
  forgetPerson()
  expect(recent()).toEqual([])
})
