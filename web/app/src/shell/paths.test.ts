import { describe, expect, expectTypeOf, it } from 'vitest'
import { find, href, match, type Params } from './paths.ts'

describe('match', () => {
  it('takes params', () => {
    expect(match('/c/:channel/:message', '/c/abc/42')).toEqual({ channel: 'abc', message: '42' })
    expect(match('/people', '/people/')).toEqual({})
  })
  it('wants all segments, and no more', () => {
    expect(match('/c/:channel', '/c')).toBeUndefined()
    expect(match('/c/:channel', '/c/abc/42')).toBeUndefined()
    expect(match('/people', '/c')).toBeUndefined()
  })
  it('leaves out nothing: what begins with "//" is another server to a browser', () => {
    for (const path of ['//c/abc', '/c//abc', '/c/', '/c//']) expect(match('/c/:channel', path), path).toBeUndefined()
    expect(match('/c/:channel/:message', '/c//42')).toBeUndefined()
    expect(match('/', '/')).toEqual({})
  })
  it('decodes, and takes nothing that can’t be', () => {
    expect(match('/c/:channel', '/c/a%2Fb')).toEqual({ channel: 'a/b' })
    expect(match('/c/:channel', '/c/%')).toBeUndefined()
  })
})

it('makes paths that match again', () => {
  for (const channel of ['abc', 'a/b', 'ä ö?#']) expect(match('/c/:channel', href('/c/:channel', { channel }))).toEqual({ channel })
})

it('takes the first that matches', () => {
  const routes = [{ path: '/c/new' }, { path: '/c/:channel' }]
  expect(find(routes, '/c/new')?.route.path).toBe('/c/new')
  expect(find(routes, '/c/x')?.params).toEqual({ channel: 'x' })
  expect(find(routes, '/x')).toBeUndefined()
})

it('knows the params of a pattern', () => {
  expectTypeOf<Params<'/t/:channel/:root'>>().toExtend<{ readonly channel: string; readonly root: string }>()
})
