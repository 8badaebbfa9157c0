import { ServerError, type Method, type Session } from '@plenum/sdk'
import { expect, it } from 'vitest'
import { browse, preview } from './browse.ts'

/** A server whose answers are given by the name of the method. */
function desk(answers: Record<string, (request: Record<string, unknown>) => object>) {
  const asked: Record<string, unknown>[] = []
  const call = async (method: Method<object, unknown>, request: Record<string, unknown>) => {
    asked.push(request)
    await Promise.resolve()
    return answers[method.name.split('/')[1] ?? '']?.(request)
  }
  return { session: { call } as unknown as Session, asked }
}

const channel = (id: string, archived: boolean) => ({ id, name: id, topic: '', members: 1, archived })
const refused = (code: number) => () => { throw new ServerError(code, 'chat.CHANNEL', 'No.') }

it('lists what is archived, and nothing else, over as many pages as it takes', async () => {
  const pages: Record<string, object> = { '': { channels: [channel('a', false)], next: 'b' }, b: { channels: [channel('b', true), channel('c', false)], next: '' } }
  const { session, asked } = desk({ BrowseChannels: ({ page }) => pages[page as string] ?? {} })
  const found = await browse(session, 'x', '', true, (id) => id === 'b')
  expect(found).toEqual({ items: [{ id: 'b', name: 'b', topic: '', members: 1, joined: true, archived: true }], next: '' })
  expect(asked.map(({ page }) => page)).toEqual(['', 'b'])
  expect(await browse(session, 'x', '', false, () => false)).toMatchObject({ items: [{ id: 'a' }], next: 'b' })
})

it('goes on through names of which none is meant, for an empty page would say that there is nothing', async () => {
  const pages: Record<string, object> = { '': { channels: [], next: 'm' }, m: { channels: [], next: 't' }, t: { channels: [channel('web-design', false)], next: 'z' }, z: { channels: [], next: '' } }
  const { session, asked } = desk({ BrowseChannels: ({ page }) => pages[page as string] ?? {} })
  expect(await browse(session, 'des', '', false, () => false)).toMatchObject({ items: [{ id: 'web-design' }], next: 'z' })
  expect(asked).toMatchObject([{ words: 'des', page: '' }, { words: 'des', page: 'm' }, { words: 'des', page: 't' }])
  expect(await browse(session, 'des', 'z', false, () => false)).toEqual({ items: [], next: '' })
})

it('looks for no more than the service does', async () => {
  const { session, asked } = desk({ BrowseChannels: () => ({ channels: [], next: '' }) })
  for (const words of [' one  two three four five ', 'ж'.repeat(40), `${'a'.repeat(62)}😀`]) await browse(session, words, '', false, () => false)
  expect(asked.map(({ words }) => words)).toEqual(['one two three four', 'ж'.repeat(32), 'a'.repeat(62)])
})

it('shows what may be read of a channel, and tells what may not from what failed', async () => {
  const GetChannel = () => ({ channel: { name: 'books', topic: 'One a month', purpose: 'to read', members: 3, archived: false } })
  const ListMembers = () => ({ members: [{ user: 'ben' }] })
  const said = (offset: number, more = {}) => ({ offset, author: 'ben', timeMs: 1, text: `${offset}`, deleted: false, system: undefined, ...more })
  const History = () => ({ messages: [said(1), said(2), said(3), said(4), said(5), said(6, { deleted: true }), said(7, { system: {} }), said(8)] })
  const open = await preview(desk({ GetChannel, ListMembers, History }).session, 'c')
  expect([open.purpose, open.people, open.said?.map(({ offset }) => offset)]).toEqual(['to read', ['ben'], [2, 3, 4, 5, 8]])
  expect(await preview(desk({ GetChannel, ListMembers: refused(102), History: refused(102) }).session, 'c')).toEqual({ name: 'books', topic: 'One a month', purpose: 'to read', members: 3, archived: false, people: [], said: undefined })
  await expect(preview(desk({ GetChannel, ListMembers, History: refused(200) }).session, 'c')).rejects.toMatchObject({ code: 200 })
})
