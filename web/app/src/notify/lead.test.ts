import { expect, it } from 'vitest'
import { Lead } from './lead.ts'

type Granted = () => Promise<void> | undefined

it('gives a lock back that is granted after it has left, as one that is stolen may be', async () => {
  const granted = new Map<string, Granted[]>()
  const request = (name: string, _: LockOptions, held: Granted) => {
    granted.set(name, [...(granted.get(name) ?? []), held])
    return new Promise<void>(() => undefined)
  }
  const lead = new Lead('ada', { request, query: () => Promise.resolve({ held: [] }) } as unknown as LockManager)
  lead.focus(true)
  const [waits, steals] = granted.get('plenum.speaker.ada') ?? []
  lead.close()
  expect([waits?.(), steals?.()]).toEqual([undefined, undefined])
  expect(await lead.speaks()).toBe(false)
})
