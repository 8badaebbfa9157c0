import { describe, expect, it } from 'vitest'
import { sources, withoutComments } from '../test/files.ts'
import { contrast, type Oklch } from '../test/oklch.ts'

const css = sources('.css').map((file) => ({ ...file, text: withoutComments(file.text) }))
const tokens = css.find((file) => file.name === 'ui/tokens.css')?.text ?? ''

/** What stands on what. Words need 4.5:1, what only shows where something is 3:1 (WCAG 2.2, 1.4.3 and 1.4.11). */
const everywhere = ['ground', 'ground-glow', 'ground-hover', 'sheet', 'raised', 'well', 'hover', 'selected', 'accent-soft', 'signal-soft']
const words: Readonly<Record<string, readonly string[]>> = {
  text: [...everywhere, 'danger-soft', 'warn-soft', 'mark'],
  soft: everywhere,
  faint: everywhere,
  'accent-text': ['sheet', 'raised', 'well', 'hover', 'selected', 'accent-soft', 'signal-soft', 'ground'],
  'signal-text': ['sheet', 'hover'],
  'danger-text': ['sheet', 'raised', 'hover', 'danger-soft', 'accent-soft', 'signal-soft'],
  'warn-text': ['warn-soft'],
  'on-accent': ['accent', 'accent-hover'],
  'on-signal': ['signal'],
  'on-danger': ['danger'],
  sheet: ['text'], // tooltips
  'on-tone': Array.from({ length: 12 }, (_, n) => `tone-${n}`),
}
const shapes: Readonly<Record<string, readonly string[]>> = {
  edge: ['sheet', 'raised', 'well'],
  focus: everywhere,
  accent: ['sheet', 'raised', 'ground', 'ground-glow', 'well', 'ground-hover'],
  signal: ['sheet', 'hover', 'ground', 'signal-soft'],
  danger: ['sheet', 'raised'],
  here: ['sheet', 'raised', 'ground', 'ground-hover', 'hover', 'selected', 'accent-soft'],
  busy: ['sheet', 'raised', 'ground', 'ground-hover', 'hover', 'selected', 'accent-soft'],
  idle: ['sheet', 'raised', 'ground', 'ground-hover', 'hover', 'selected', 'accent-soft'],
  gone: ['sheet', 'raised', 'ground', 'ground-hover', 'hover', 'selected', 'accent-soft'],
}

type Theme = Readonly<Record<string, Oklch>>

/** theme is the tokens' colours in one of the four looks. */
function theme(dark: boolean, more: boolean): Theme {
  const at = tokens.indexOf(":root[data-contrast='more']")
  const parts = more ? [tokens.slice(0, at), tokens.slice(at)] : [tokens.slice(0, at)]
  const found: Record<string, Oklch> = {}
  for (const part of parts) {
    for (const [, name, value] of part.matchAll(/--([\w-]+): (light-dark\(.*?\)\)|oklch\([^)]*\));/g)) {
      const colours = [...(value ?? '').matchAll(/oklch\(([\d.]+) ([\d.]+) ([\d.]+)(?: \/ [\d.]+)?\)/g)].map(([, l, c, h]) => ({ l: Number(l), c: Number(c), h: Number(h) }))
      const colour = colours[dark ? colours.length - 1 : 0]
      if (name && colour) found[name] = colour
    }
  }
  return found
}

const looks = [
  { look: 'light', dark: false, more: false },
  { look: 'dark', dark: true, more: false },
  { look: 'light with more contrast', dark: false, more: true },
  { look: 'dark with more contrast', dark: true, more: true },
]

function low(colours: Theme, pairs: Readonly<Record<string, readonly string[]>>, least: number): readonly string[] {
  return Object.entries(pairs).flatMap(([front, backs]) =>
    backs.flatMap((back) => {
      const [a, b] = [colours[front], colours[back]]
      if (!a || !b) return [`${front} on ${back}: no such token`]
      const ratio = contrast(a, b)
      return ratio < least ? [`${front} on ${back}: ${ratio.toFixed(2)}`] : []
    }),
  )
}

describe.each(looks)('$look', ({ dark, more }) => {
  const colours = theme(dark, more)
  it('words can be read', () => expect(low(colours, words, more ? 7 : 4.5)).toEqual([]))
  it('shapes can be seen', () => expect(low(colours, shapes, more ? 4.5 : 3)).toEqual([]))
})

it('knows black and white', () => {
  expect(contrast({ l: 1, c: 0, h: 0 }, { l: 0, c: 0, h: 0 })).toBeCloseTo(21, 1)
  expect(contrast({ l: 0.5, c: 0, h: 0 }, { l: 0.5, c: 0, h: 0 })).toBe(1)
})

/** The rules' declarations, innermost braces only. */
const rules = css.flatMap(({ name, text }) => [...text.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector, body]) => ({ name, selector: selector?.trim() ?? '', body: body ?? '' })))

const token = (body: string, property: string) => new RegExp(`(?:^|[;\\s])${property}:[^;]*?var\\(--([\\w-]+)\\)`).exec(body)?.[1]

it('covers what one rule puts together', () => {
  const missing = rules.flatMap(({ name, selector, body }) => {
    const front = token(body, 'color')
    const back = token(body, 'background(?:-color)?')
    if (!front || !back) return []
    return words[front]?.includes(back) ? [] : [`${name}: ${selector}: ${front} on ${back}`]
  })
  expect(missing).toEqual([])
})

it('covers each colour that words have', () => {
  const known = new Set([...Object.keys(words), ...Object.keys(shapes)])
  expect(rules.flatMap(({ name, selector, body }) => {
    const front = token(body, 'color')
    return front && !known.has(front) ? [`${name}: ${selector}: ${front}`] : []
  })).toEqual([])
})

it('uses only tokens that there are, and each of them', () => {
  const defined = new Set([...css.flatMap(({ text }) => [...text.matchAll(/(--[\w-]+):/g)].map(([, name]) => name))])
  const used = new Set(css.flatMap(({ text }) => [...text.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name)))
  const set = new Set(['--x', '--y', '--room', '--rows']) // by place.ts, by what is offered while one writes, and by the emoji picker
  expect([...used].filter((name) => !defined.has(name) && !set.has(name ?? ''))).toEqual([])
  expect([...defined].filter((name) => !used.has(name))).toEqual([])
})

it('has no colour outside of tokens.css', () => {
  expect(rules.filter(({ name, body }) => name !== 'ui/tokens.css' && /oklch\(|rgb|hsl|#[0-9a-f]{3,8}\b|light-dark\(/i.test(body)).map(({ name, selector }) => `${name}: ${selector}`)).toEqual([])
})
