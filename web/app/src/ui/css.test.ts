import { expect, it } from 'vitest'
import { sources, withoutComments } from '../test/files.ts'

const css = sources('.css').map((file) => ({ ...file, text: withoutComments(file.text) }))

/** Properties and values that name a side of the screen rather than one of the line. */
const physical =
  /(?:^|[;{\s])(?:(?:(?:margin|padding|scroll-margin|scroll-padding|border|inset)-)?(?:left|right|top|bottom)(?:-[a-z]+)*|border-(?:top|bottom)-(?:left|right)-radius|(?:(?:min|max)-)?(?:width|height)|overflow-[xy])\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)/

it('has logical properties only', () => {
  const found = css.flatMap(({ name, text }) =>
    text.split('\n').flatMap((line, n) => (physical.test(line) && !/overflow-[xy]:/.test(line) && !line.includes('@media') ? [`${name}:${n + 1}: ${line.trim()}`] : [])),
  )
  expect(found).toEqual([])
})

it('knows physical properties', () => {
  for (const line of ['  margin-left: 1px;', 'a { left: 0 }', 'text-align: right', 'border-top-left-radius: 2px', 'padding-right:0', 'top: 0', 'max-width: 3rem']) expect(line).toMatch(physical)
  for (const line of ['margin-inline-start: 1px', 'inset-inline: 0', 'text-align: start', 'border-start-end-radius: 0', 'max-inline-size: 3rem']) expect(line).not.toMatch(physical)
})

it('moves under 200 ms, but for what goes on for long', () => {
  const long = css.flatMap(({ name, text }) =>
    [...text.matchAll(/(?:^|[\s:,])(\d+(?:\.\d+)?)(ms|s)\b(?![\w-])/g)].flatMap(([all, n, unit]) => (Number(n) * (unit === 's' ? 1000 : 1) >= 200 ? [`${name}: ${all.trim()}`] : [])),
  )
  expect(long).toEqual(['ui/button.css: 700ms', 'ui/small.css: 1.6s'])
})

it('has all styles in layers', () => {
  for (const { name, text } of css) {
    const outside = text.replace(/@layer [\w, ]+;/g, '').replace(/@layer \w+ \{[\s\S]*?\n\}/g, '')
    expect(outside.trim(), name).toBe('')
  }
})

it('has no styles in components but custom properties', () => {
  for (const { name, text } of sources('.tsx', '.ts')) {
    expect(withoutComments(text), name).not.toMatch(/\sstyle=|\.style\.(?!setProperty\('--)|cssText|setAttribute\('style/)
  }
})

it('has a rule for each class, and a class for each rule', () => {
  const code = sources('.tsx')
    .map(({ text }) => text)
    .join('\n')
  const styled = new Set(css.flatMap(({ text }) => [...text.replace(/url\([^)]*\)|\d\.\d/g, '').matchAll(/\.([a-z][\w-]*)/g)].map(([, name]) => name ?? '')))
  const literal = [...code.matchAll(/\bclass="([^"]+)"/g)].flatMap(([, names]) => (names ?? '').split(' '))
  const listed = [...code.matchAll(/classList=\{\{([^}]*)\}\}/g)].flatMap(([, body]) => [...(body ?? '').matchAll(/'?([a-z][\w-]*)'?:/g)].map(([, name]) => name ?? ''))
  const bare = new Set(['menu', 'faint', 'soft', 'strong', 'clip'])
  expect([...new Set([...literal, ...listed])].filter((name) => !styled.has(name) && !bare.has(name))).toEqual([])
  // Some names are put together: their beginnings are in the code.
  const made = sources('.ts').map(({ text }) => text).join('\n') // Markdown's elements are made by script
  const named = (name: string) => code.includes(name) || made.includes(`'${name}'`) || (code + made).includes(`${name.replace(/-[a-z]+$/, '')}-\${`)
  expect([...styled].filter((name) => !named(name))).toEqual([])
})
