import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Model, Status } from '../model/model.ts'
import { dismiss, toasts } from '../ui/toasts.ts'
import { pause, resume } from './pausing.ts'

/** A model of who says something of themselves, or nothing. */
function modelOf(said: Partial<Status>) {
  const set: Status[] = []
  const model = {
    access: { stage: () => ({ kind: 'signed-in', account: { me: 'ada' } }) },
    status: () => ({ state: 'automatic', emoji: '', text: '', until: undefined, ...said }),
    profile: { setStatus: (status: Status) => Promise.resolve(void set.push(status)) },
  }
  return { model: model as unknown as Model, set }
}

const told = () => toasts().at(-1)?.words ?? ''

beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-11-30T13:20') }))
afterEach(() => {
  for (const { id } of toasts()) dismiss(id)
  vi.useRealTimers()
})

it('keeps what one says of oneself, and tells that it ends with the pause', async () => {
  const { model, set } = modelOf({ emoji: '🥗', text: 'At lunch' })
  await pause(model, 'hour')
  expect(set).toEqual([{ state: 'silent', emoji: '🥗', text: 'At lunch', until: Date.now() + 3_600_000 }])
  expect(told()).toMatch(/Paused until 2:20\sPM\. Your status “🥗 At lunch” ends then, too\.$|2:20\sPM.*“🥗 At lunch” ends then, too\.$/)
  await pause(model, 'open') // has no end, and so the words have none
  expect(told()).not.toContain('At lunch')
  await resume(model)
  expect(set.at(-1)).toEqual({ state: 'automatic', emoji: '🥗', text: 'At lunch', until: undefined })
  expect(told()).not.toContain('At lunch')
})

it('says nothing of words that there are not', async () => {
  const { model } = modelOf({})
  await pause(model, 'half')
  expect(told()).toMatch(/1:50\sPM$/)
})
