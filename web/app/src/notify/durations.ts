/** How long notifications are paused. */
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
