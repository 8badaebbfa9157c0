/** Until when notifications are paused, in words: the top bar has them at first. */
import { text } from '../i18n/en.ts'
import { dayName, time } from '../i18n/format.ts'

/** endWords is when it ends: "14:00", and of another day the day before it. */
export function endWords(until: number, now: number): string {
  return new Date(until).toDateString() === new Date(now).toDateString() ? time(until) : `${dayName(until, now)}, ${time(until)}`
}

/** pausedWords say that they are paused, and until when. */
export function pausedWords(until: number | undefined): string {
  return until === undefined ? text().account.paused : text().account.pausedUntil(endWords(until, Date.now()))
}
