/** How long notifications are paused. */
import { text } from '../i18n/en.ts'
import { dayName, time } from '../i18n/format.ts'

export const pauses = ['half', 'hour', 'twoHours', 'tomorrow', 'open'] as const
export type Pause = (typeof pauses)[number]

const minute = 60_000 // ms
const morning = 9 // o'clock

/** endOf is when a pause that begins now ends, Unix ms; undefined: not by itself. Tomorrow begins in the morning, also for who is up after midnight. */
export function endOf(pause: Pause, now: number): number | undefined {
  switch (pause) {
    case 'half':
      return now + 30 * minute
    case 'hour':
      return now + 60 * minute
    case 'twoHours':
      return now + 120 * minute
    case 'tomorrow': {
      const day = new Date(now)
      if (day.getHours() >= 4) day.setDate(day.getDate() + 1)
      return day.setHours(morning, 0, 0, 0)
    }
    case 'open':
      return undefined
  }
}

/** endWords is when it ends: "14:00", and of another day the day before it. */
export function endWords(until: number, now: number): string {
  return new Date(until).toDateString() === new Date(now).toDateString() ? time(until) : `${dayName(until, now)}, ${time(until)}`
}

/** pausedWords say that they are paused, and until when. */
export function pausedWords(until: number | undefined): string {
  return until === undefined ? text().account.paused : text().account.pausedUntil(endWords(until, Date.now()))
}
