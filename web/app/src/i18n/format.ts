/** Dates, numbers and plurals in the page's language. */
import { tag } from './locale.ts'

const day = 86_400_000 // ms

const made = new Map<string, unknown>()

/** kept is a formatter, made once: they are slow to make. */
function kept<T>(name: string, make: (locale: string) => T): T {
  const key = `${tag()} ${name}`
  const found = made.get(key) as T | undefined
  if (found) return found
  const fresh = make(tag())
  made.set(key, fresh)
  return fresh
}

/** date makes a format of times, by a name of its own. */
export const date = (name: string, options: Intl.DateTimeFormatOptions) => (ms: number) => kept(name, (l) => new Intl.DateTimeFormat(l, options)).format(ms)

/** time is "14:05". Times are Unix ms. */
export const time = date('time', { hour: 'numeric', minute: '2-digit' })

/** moment is a date and a time in full, for tooltips. */
export const moment = date('moment', { dateStyle: 'full', timeStyle: 'short' })

const thisYear = date('this year', { weekday: 'long', month: 'long', day: 'numeric' })
const otherYear = date('other year', { year: 'numeric', month: 'long', day: 'numeric' })
const short = date('short', { year: 'numeric', month: 'short', day: 'numeric' })

/** dayName is "today", "yesterday" (as the language writes them), or the date. */
export function dayName(ms: number, now: number): string {
  const days = Math.round((midnight(ms) - midnight(now)) / day)
  if (days === 0 || days === -1) return capital(kept('days', (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto' })).format(days, 'day'))
  return new Date(ms).getFullYear() === new Date(now).getFullYear() ? thisYear(ms) : otherYear(ms)
}

/** relative is "3 minutes ago" or "in 2 days"; of more than a week the date. */
export function relative(ms: number, now: number): string {
  const format = kept('relative', (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto' }))
  const s = Math.round((ms - now) / 1000)
  if (Math.abs(s) < 60) return format.format(0, 'second')
  if (Math.abs(s) < 3600) return format.format(Math.trunc(s / 60), 'minute')
  if (Math.abs(s) < 86_400) return format.format(Math.trunc(s / 3600), 'hour')
  if (Math.abs(s) < 7 * 86_400) return format.format(Math.trunc(s / 86_400), 'day')
  return short(ms)
}

export function number(n: number): string {
  return kept('number', (l) => new Intl.NumberFormat(l)).format(n)
}

/** badge is a count for a small place: more than 99 is "99+". */
export function badge(n: number): string {
  return n > 99 ? `${number(99)}+` : number(n)
}

/** list is "Ada, Ben and Cho". */
export function list(names: readonly string[]): string {
  return kept('list', (l) => new Intl.ListFormat(l, { type: 'conjunction' })).format(names)
}

/** plural chooses by the language's rules: `{ one: '1 reply', other: '3 replies' }`. */
export function plural(n: number, forms: Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string }): string {
  return forms[kept('plural', (l) => new Intl.PluralRules(l)).select(n)] ?? forms.other
}

/** compare orders names. */
export function compare(a: string, b: string): number {
  return kept('compare', (l) => new Intl.Collator(l, { sensitivity: 'base', numeric: true })).compare(a, b)
}

function midnight(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0)
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(tag()) + text.slice(1)
}
