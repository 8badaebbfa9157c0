import { For } from 'solid-js'

interface Seat {
  readonly x: number
  readonly y: number
  readonly r: number
}

/** rows are the seats of an assembly: half circles around who speaks, as far apart in each row. */
function rows(count: number, inner: number, step: number): readonly Seat[] {
  return Array.from({ length: count }, (_, row) => {
    const radius = inner + row * step
    const seats = Math.round((Math.PI * radius) / (step * 1.02)) + 1
    return Array.from({ length: seats }, (__, n) => {
      const angle = (Math.PI * n) / (seats - 1)
      return { x: -Math.cos(angle) * radius, y: -Math.sin(angle) * radius, r: step * 0.27 }
    })
  }).flat()
}

const small = rows(4, 22, 11)

/** Seats is the picture of what is empty yet: rows of seats, one of them taken. */
export function Seats() {
  return (
    <svg class="empty-seats" viewBox="-64 -64 128 72" aria-hidden="true">
      <For each={small}>
        {(seat, n) => (
          <circle cx={seat.x.toFixed(1)} cy={seat.y.toFixed(1)} r={seat.r} fill="currentColor" opacity={n() === 24 ? 1 : 0.1 + ((n() * 37) % 23) / 110} />
        )}
      </For>
      <circle cx="0" cy="0" r="5" fill="currentColor" opacity="0.85" />
    </svg>
  )
}

const large = rows(22, 120, 24)
const lit = new Set([61, 148, 327, 402, 555, 690])

/** Hall is the large picture behind sign-in: it fades towards the doors, and some have asked for the floor. */
export function Hall() {
  return (
    <svg class="hall" viewBox="-640 -660 1280 680" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
      <For each={large}>
        {(seat, n) => (
          <circle
            cx={seat.x.toFixed(1)}
            cy={seat.y.toFixed(1)}
            r={seat.r}
            class={lit.has(n()) ? 'hall-lit' : undefined}
            opacity={lit.has(n()) ? 0.9 : ((1.12 - Math.hypot(seat.x, seat.y) / 720) * (0.1 + ((n() * 31) % 7) / 34)).toFixed(3)}
          />
        )}
      </For>
    </svg>
  )
}
