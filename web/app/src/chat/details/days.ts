/** Days, as a calendar shows them: of the local time zone. A day is its midnight, Unix ms. */

/** midnight is the day of a time, so many days on. */
export function midnight(ms: number, days = 0): number {
  const day = new Date(ms)
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + days).getTime()
}

/** monthsOn is the same day of another month, or its last one. */
export function monthsOn(ms: number, months: number): number {
  const day = new Date(ms)
  const last = new Date(day.getFullYear(), day.getMonth() + months + 1, 0).getDate()
  return new Date(day.getFullYear(), day.getMonth() + months, Math.min(day.getDate(), last)).getTime()
}

/** weeks are those that a month touches, each of seven days. `first` is the first day of a week: 0 is Sunday. */
export function weeks(ms: number, first: number): readonly (readonly number[])[] {
  const day = new Date(ms)
  const begin = new Date(day.getFullYear(), day.getMonth(), 1)
  const before = (begin.getDay() - first + 7) % 7
  const days = new Date(day.getFullYear(), day.getMonth() + 1, 0).getDate()
  return Array.from({ length: Math.ceil((before + days) / 7) }, (_, week) => Array.from({ length: 7 }, (__, n) => midnight(begin.getTime(), week * 7 + n - before)))
}

/** stepped is the day that a key goes to from another; undefined: it is no such key. `along` is -1 where lines run from right to left. */
export function stepped(ms: number, key: string, first: number, along: 1 | -1): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return midnight(ms, along)
    case 'ArrowLeft':
      return midnight(ms, -along)
    case 'ArrowDown':
      return midnight(ms, 7)
    case 'ArrowUp':
      return midnight(ms, -7)
    case 'Home':
      return midnight(ms, -((new Date(ms).getDay() - first + 7) % 7))
    case 'End':
      return midnight(ms, 6 - ((new Date(ms).getDay() - first + 7) % 7))
    case 'PageUp':
      return monthsOn(ms, -1)
    case 'PageDown':
      return monthsOn(ms, 1)
    default:
      return undefined
  }
}
