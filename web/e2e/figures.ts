import { appendFileSync } from 'node:fs'
import bars from '../../loadtest/bench/web.json' with { type: 'json' }
import { expect, test } from './test.ts'

type Bar = (typeof bars)[number]

/** By how much a figure may miss its bar in a test, which runs beside others on machines that have other things to do: beyond, something has collapsed. */
const collapse = 3

/** The file that `make bench` reads figures from, one JSON object a line; undefined: this is a test. */
const out = process.env['FIGURES']

/** Whether it is measured with care: `make bench`. */
export const bench = out !== undefined

/**
 * told tells a figure of web.json, as it was found each time: the median to `make bench`, which holds it to its bar; or else the best to the test, which fails where
 * even that has collapsed.
 */
export function told(id: string, ...samples: number[]): void {
  const bar: Bar | undefined = bars.find((b) => b.id === id)
  if (bar === undefined) throw new Error(`web.json has no ${id}`)
  const sorted = samples.sort((a, b) => (bar.better === 'higher' ? b - a : a - b))
  const [best = NaN, median = NaN] = [sorted[0], sorted[sorted.length >> 1]]
  test.info().annotations.push({ type: bar.name, description: `${median.toPrecision(3)} ${bar.unit}, best ${best.toPrecision(3)}` })
  if (out !== undefined) appendFileSync(out, JSON.stringify({ id, value: median }) + '\n')
  else if (bar.better === 'higher') expect.soft(best, bar.name).toBeGreaterThanOrEqual(bar.goal / collapse)
  else expect.soft(best, bar.name).toBeLessThanOrEqual(bar.goal * collapse)
}
