/** What is asked of every screen, looked at in the page itself. Each answers with what is wrong, one line for each fault; an empty list is what is wanted. */
import type { Page } from '@playwright/test'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** WCAG 2.2 AA, and all that it includes. */
const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
/** The rules that see colours: what is asked of a screen in its other colours. */
const colours = ['color-contrast', 'link-in-text-block']

/** What there is some thousand times: two groups of emoji stand for the nine. */
const alike = ['.emoji-section:nth-child(n + 3)']

/** axeFaults asks axe-core. `only` its rules on colours, for a screen that was asked about all. */
export async function axeFaults(page: Page, only?: 'colours'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe)
  return page.evaluate(
    async ({ levels, colours, alike, only }) => {
      const { axe } = window as unknown as { axe: { run(context: object, options: object): Promise<AxeResults> } }
      const runOnly = only ? { type: 'rule', values: colours } : { type: 'tag', values: levels }
      const { violations } = await axe.run({ exclude: alike }, { runOnly, resultTypes: ['violations'], rules: only ? {} : { 'target-size': { enabled: true } } })
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`))
    },
    { levels, colours, alike, only },
  )
}

/** sideways finds what can be scrolled sideways: the window, and whatever scrolls in it. Code keeps its lines, and may. */
export function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const name = (e: Element) => `${e.tagName.toLowerCase()}${[...e.classList].map((c) => `.${c}`).join('')}`
    return [...document.querySelectorAll<HTMLElement>('*')].flatMap((e) => {
      const scrolls = e === document.documentElement || e === document.body || /auto|scroll/.test(getComputedStyle(e).overflowX)
      if (!scrolls || e.matches('pre') || !e.checkVisibility({ visibilityProperty: true }) || e.scrollWidth <= e.clientWidth + 1) return []
      return [`${name(e)} is ${e.scrollWidth} px wide, in ${e.clientWidth}`]
    })
  })
}

/** small finds targets that are smaller than 24 px and have others too near (WCAG 2.5.8). Links within a sentence are as high as its lines. */
export function small(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const least = 24
    const name = (e: Element) => `${e.tagName.toLowerCase()}${[...e.classList].map((c) => `.${c}`).join('')} “${(e.getAttribute('aria-label') ?? e.textContent).trim().slice(0, 30)}”`
    const wanted = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [role=option], [role=menuitem], [role=tab], [role=button], [role=switch]'
    // The uppermost of what lies over the rest is what can be reached.
    const modal = [...document.querySelectorAll('dialog[open]')].at(-1)
    const targets = [...document.querySelectorAll<HTMLElement>(wanted)].filter(
      (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true }) && (!modal || modal.contains(e) || e.closest('[popover]') !== null) && e.closest('[inert]') === null && !e.matches('.message-body a, .unseen, .skip:not(:focus)') && !e.closest('.message-does:not(:hover, :focus-within)'),
    )
    // A label is pressed for its field.
    const area = (e: HTMLElement) => {
      const label = e.closest('label')
      const [a, b] = [e.getBoundingClientRect(), label?.getBoundingClientRect()]
      return b ? { left: Math.min(a.left, b.left), right: Math.max(a.right, b.right), top: Math.min(a.top, b.top), bottom: Math.max(a.bottom, b.bottom) } : a
    }
    const all = targets.map((e) => ({ e, r: area(e) })).filter(({ r }) => r.right > r.left && r.bottom > r.top)
    const tight = ({ r }: (typeof all)[number]) => Math.round(r.right - r.left) < least || Math.round(r.bottom - r.top) < least
    return all.filter(tight).flatMap((one) => {
      const [x, y] = [(one.r.left + one.r.right) / 2, (one.r.top + one.r.bottom) / 2]
      const near = all.find((other) => {
        if (other.e === one.e || other.e.contains(one.e) || one.e.contains(other.e) || (other.e.closest('label') ?? other.e) === one.e.closest('label')) return false
        if (tight(other)) return Math.hypot((other.r.left + other.r.right) / 2 - x, (other.r.top + other.r.bottom) / 2 - y) < least
        const [dx, dy] = [Math.max(other.r.left - x, 0, x - other.r.right), Math.max(other.r.top - y, 0, y - other.r.bottom)]
        return Math.hypot(dx, dy) < least / 2
      })
      return near ? [`${name(one.e)} is ${Math.round(one.r.right - one.r.left)} × ${Math.round(one.r.bottom - one.r.top)} px, beside ${name(near.e)}`] : []
    })
  })
}

/**
 * clipped finds words that are cut off without a sign that there are more, words that stand outside of what they belong to, and boxes that lie over the one
 * beside them. A line that ends in “…”, lines that fade out, and what can be scrolled to are no faults.
 */
export function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const name = (e: Element) => `${e.tagName.toLowerCase()}${[...e.classList].map((c) => `.${c}`).join('')}`
    const shown = (e: Element) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true }) && e.closest('.unseen, .skip, [inert], .tip') === null
    const found: string[] = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const own = walker.currentNode.parentElement
      const words = walker.currentNode.textContent?.trim() ?? ''
      if (!own || words === '' || !shown(own) || own.matches('option, textarea, script, style')) continue
      const range = document.createRange()
      range.selectNodeContents(walker.currentNode)
      const r = range.getBoundingClientRect()
      if (r.width === 0 || r.height === 0) continue
      let [x, y] = [true, true] // whether it still matters, along each axis
      let [signed, unseen] = [false, own.matches('.emoji-cell')] // a font that lacks an emoji has several in its place
      for (let e: Element | null = own; e && (x || y); e = e.parentElement) {
        const style = getComputedStyle(e)
        if (style.clipPath !== 'none') {
          unseen = true
          break
        }
        signed ||= style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none' || style.maskImage !== 'none'
        const box = e.getBoundingClientRect()
        if (style.overflowX !== 'visible') {
          if (x && !unseen && style.overflowX !== 'auto' && style.overflowX !== 'scroll' && !signed && (r.left < box.left - 1 || r.right > box.right + 1)) found.push(`“${words.slice(0, 40)}” is cut off at the side by ${name(e)}`)
          x = false
        }
        if (style.overflowY !== 'visible') {
          if (y && !unseen && style.overflowY !== 'auto' && style.overflowY !== 'scroll' && !signed && (r.top < box.top - 2 || r.bottom > box.bottom + 2)) found.push(`“${words.slice(0, 40)}” is cut off above or below by ${name(e)}`)
          y = false
        }
        if (style.position === 'fixed') break
      }
      if (unseen) continue
      if (x && (r.left < -1 || r.right > document.documentElement.clientWidth + 1)) found.push(`“${words.slice(0, 40)}” stands outside of the window: ${name(own)}`)
      // Of a control the words stay in it.
      const control = own.closest('button, a, kbd, .pill, .badge')
      if (control && !signed) {
        const box = control.getBoundingClientRect()
        if (getComputedStyle(control).display !== 'inline' && (r.left < box.left - 1 || r.right > box.right + 1)) found.push(`“${words.slice(0, 40)}” stands outside of ${name(control)}`)
      }
    }
    for (const parent of document.querySelectorAll('body *')) {
      if (!shown(parent) || parent.matches('svg *, .here-faces, .shell')) continue // the pane lies over the screen where there is no room beside it
      const beside = [...parent.children].filter((e) => shown(e) && !/absolute|fixed|sticky/.test(getComputedStyle(e).position) && getComputedStyle(e).display !== 'inline' && getComputedStyle(e).pointerEvents !== 'none' && !e.matches(':empty:not(input, textarea, select, svg)')).slice(0, 80)
      for (const [n, e] of beside.entries()) {
        const next = beside[n + 1]
        if (!next) continue
        const [a, b] = [e.getBoundingClientRect(), next.getBoundingClientRect()]
        const over = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)] as const
        if (over[0] > 3 && over[1] > 3) found.push(`${name(e)} and ${name(next)} lie over each other, by ${Math.round(over[0])} × ${Math.round(over[1])} px`)
      }
    }
    return found
  })
}

/** moving finds what would move or fade, of each element and what stands before and behind it. */
export function moving(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found = new Set<string>()
    for (const e of document.querySelectorAll('*')) {
      for (const part of [undefined, '::before', '::after', '::backdrop']) {
        const style = getComputedStyle(e, part)
        if (part && part !== '::backdrop' && style.content === 'none') continue
        const times = [style.transitionDuration, style.transitionDelay, style.animationDuration, style.animationDelay].flatMap((all) => all.split(', ').map(parseFloat))
        if (times.some((s) => s > 0)) found.add(`${e.tagName.toLowerCase()}.${[...e.classList].join('.')}${part ?? ''} takes ${Math.max(...times)} s`)
      }
    }
    for (const one of document.getAnimations()) if (one.playState === 'running') found.add('something moves')
    return [...found]
  })
}

/**
 * unseenFocus says what is wrong with the sign of where the focus is: that there is none, or that a parent cuts it off. The sign may be on the element, on what
 * is around it, or on the option that it points at; it is what differs once the focus is elsewhere.
 */
export function unseenFocus(page: Page): Promise<string | undefined> {
  return page.evaluate(() => {
    const at = document.activeElement
    if (!(at instanceof HTMLElement) || at === document.body) return 'nothing has the focus'
    const name = `${at.tagName.toLowerCase()}${[...at.classList].map((c) => `.${c}`).join('')} “${(at.getAttribute('aria-label') ?? at.textContent).trim().slice(0, 30)}”`
    if (!at.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return `${name} has the focus, and is not to be seen`
    const around: HTMLElement[] = []
    for (let e: HTMLElement | null = at; e && around.length < 4; e = e.parentElement) around.push(e)
    const look = (e: HTMLElement) => {
      const { outlineStyle, outlineWidth, outlineColor, boxShadow, backgroundColor, borderColor, clipPath } = getComputedStyle(e)
      return [outlineStyle === 'none' ? '' : `${outlineWidth} ${outlineColor}`, boxShadow, backgroundColor, borderColor, clipPath]
    }
    const rings = around.map((e) => {
      const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(e)
      return outlineStyle === 'none' ? -1 : parseFloat(outlineWidth) + parseFloat(outlineOffset)
    })
    const focused = around.map(look)
    const elsewhere = document.createElement('button')
    const place = at.closest('dialog, [popover]') ?? document.body
    place.append(elsewhere)
    elsewhere.focus({ preventScroll: true })
    const without = around.map(look)
    at.focus({ preventScroll: true, focusVisible: true })
    elsewhere.remove()
    const n = around.findIndex((_, i) => JSON.stringify(focused[i]) !== JSON.stringify(without[i]))
    const by = around[n]
    if (!by) return `${name} has the focus, and nothing shows it`
    if (focused[n]?.[0] === without[n]?.[0]) return undefined // inside of it: nothing cuts that off but what cuts it off itself
    const ring = rings[n] ?? 0
    const box = by.getBoundingClientRect()
    const outer = { left: box.left - ring, right: box.right + ring, top: box.top - ring, bottom: box.bottom + ring }
    for (let e = by.parentElement; e; e = e.parentElement) {
      const style = getComputedStyle(e)
      if (by.matches('[popover], dialog')) break
      const inside = e.getBoundingClientRect()
      const [left, top] = [inside.left + e.clientLeft, inside.top + e.clientTop]
      const cut = 0.6
      const x = style.overflowX !== 'visible' && (outer.left < left - cut || outer.right > left + e.clientWidth + cut)
      const y = style.overflowY !== 'visible' && (outer.top < top - cut || outer.bottom > top + e.clientHeight + cut)
      if (e !== document.body && e !== document.documentElement && (x || y)) return `the ring of ${name} is cut off by .${[...e.classList].join('.')}`
      if (e.matches('[popover], dialog')) break
    }
    if (outer.left < -0.6 || outer.top < -0.6 || outer.right > innerWidth + 0.6 || outer.bottom > innerHeight + 0.6) return `the ring of ${name} goes out of the window`
    return undefined
  })
}
