import { expect, it } from 'vitest'
import { parse } from './preferences.ts'

it('keeps what is right, and replaces what isn’t', () => {
  expect(parse('{"theme":"dark","motion":"wild","sound":1}')).toMatchObject({ theme: 'dark', motion: 'system', sound: 'off' })
})

it('survives anything', () => {
  for (const stored of [null, '', '{', '[]', 'null', '"x"', '7']) expect(parse(stored)).toEqual(parse(null))
})
