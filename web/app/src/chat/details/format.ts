/** Days and months in the page's language, as a calendar has them. Times are Unix ms. */
import { date } from '../../i18n/format.ts'

/** dayOf is "3 March 2026"; dayFull has its weekday. */
export const dayOf = date('day', { dateStyle: 'long' })
export const dayFull = date('day in full', { dateStyle: 'full' })

/** monthName is "November 2026", dayOfMonth "30": for calendars. */
export const monthName = date('month', { month: 'long', year: 'numeric' })
export const dayOfMonth = date('day of the month', { day: 'numeric' })

const weekdays = { long: date('weekday', { weekday: 'long' }), narrow: date('narrow weekday', { weekday: 'narrow' }) }

export function weekdayName(ms: number, length: 'long' | 'narrow'): string {
  return weekdays[length](ms)
}

/** firstWeekday is the day with which weeks begin where the reader is, 0: Sunday; Monday where the browser doesn't say. */
export function firstWeekday(): number {
  const place = new Intl.Locale(navigator.language) as Intl.Locale & { getWeekInfo?: () => { readonly firstDay: number } }
  return (place.getWeekInfo?.().firstDay ?? 1) % 7
}
