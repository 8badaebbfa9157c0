import type { Page } from '@playwright/test'

/** What the reader sees of a list of messages, measured as frames are painted. */

/** long is a message whose height depends on its number: a line, paragraphs, code, a list, a quotation. */
export function long(i: number): string {
  const words = `message ${i} `
  const kinds = [words, words.repeat(30), `${words}\n\n${'and more\n\n'.repeat(i % 5)}`, `${words}\n\`\`\`\n${'let there = be(light)\n'.repeat(1 + (i % 12))}\`\`\``, `${words}\n\n- one\n- two\n- three`, words, `> ${words}\n\nyes`]
  return (kinds[i % kinds.length] ?? words).trim()
}

/** said collects what a list shows from its end to its beginning, oldest first, by scrolling up: each row as often as it is there. */
export async function said(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const painted = () => new Promise<void>((done) => { requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { done() }; port2.postMessage(0) }) })
    list.scrollTop = list.scrollHeight
    const rows = new Map<string, string[]>() // by offset: a message that stands there twice is found twice
    for (let still = 0; still < 30;) {
      await painted()
      const now = new Map<string, string[]>()
      for (const row of list.querySelectorAll<HTMLElement>('.message')) {
        const offset = row.dataset['offset'] ?? ''
        const text = row.querySelector('.message-body')?.textContent.trim() ?? ''
        now.set(offset, [...(now.get(offset) ?? []), text])
      }
      for (const [offset, texts] of now) if (texts.length >= (rows.get(offset)?.length ?? 0)) rows.set(offset, texts)
      const begun = list.querySelector('.begin') !== null && list.scrollTop <= 0
      still = begun ? still + 10 : still
      if (!begun) list.scrollTop -= list.clientHeight / 2
    }
    return [...rows].sort(([a], [b]) => Number(a) - Number(b)).flatMap(([, texts]) => texts)
  })
}

/** drift is how far, in px, what stands in the middle of the list has moved at most in any frame that was painted until `during` had ended. */
export async function drift(page: Page, during: () => Promise<unknown>): Promise<number> {
  const watched = await page.evaluateHandle(() => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const middle = list.getBoundingClientRect().top + list.clientHeight / 2
    const anchor = [...list.querySelectorAll<HTMLElement>('.message')].find((row) => row.getBoundingClientRect().bottom > middle)
    if (!anchor) throw new Error('there is no message in the middle')
    const offset = anchor.dataset['offset'] ?? ''
    const top = () => list.querySelector(`.message[data-offset="${offset}"]`)?.getBoundingClientRect().top ?? Infinity
    const first = top()
    const state = { worst: 0, frames: 0, on: true }
    const look = () => {
      const { port1, port2 } = new MessageChannel() // the next task behind a frame's callbacks comes when it is painted
      port1.onmessage = () => {
        state.worst = Math.max(state.worst, Math.abs(top() - first))
        state.frames++
        if (state.on) requestAnimationFrame(look)
      }
      port2.postMessage(0)
    }
    requestAnimationFrame(look)
    return state
  })
  await during()
  await watched.evaluate(async (state) => {
    for (const from = state.frames; state.frames < from + 5;) await new Promise(requestAnimationFrame)
    state.on = false
  })
  return watched.evaluate((state) => state.worst)
}

/**
 * scrolled scrolls the list by so many px, up where it is negative, and returns how far what stays in sight has moved against that, in px, once all is
 * painted; undefined: the list came to its end on the way.
 */
export async function scrolled(page: Page, by: number): Promise<number | undefined> {
  return page.evaluate(async (by) => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const box = list.getBoundingClientRect()
    const inside = [...list.querySelectorAll<HTMLElement>('.message')].filter((row) => row.getBoundingClientRect().bottom > box.top && row.getBoundingClientRect().top < box.bottom)
    const anchor = by < 0 ? inside[0] : inside.at(-1) // what stays in sight
    const offset = anchor?.dataset['offset'] ?? ''
    const top = () => list.querySelector(`.message[data-offset="${offset}"]`)?.getBoundingClientRect().top ?? Infinity
    if (by < 0 && list.scrollTop < -by) return undefined
    const before = top()
    list.scrollTop += by
    for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame)
    return Math.abs(top() - before + by)
  }, by)
}

/** For so many frames it is scrolled on behind a jump. */
const steps = 6

/**
 * jumped moves the scrollbar to a place, a share of the way from the beginning to where it is, and on by so many px in each of the next frames, down where it
 * is positive. It returns how far what stood in the middle there has moved against that at most, in px, in any frame that was painted from the first that had it on until
 * older messages had come in and all was measured; Infinity, if it wasn't in the document in more than one of them: in the frame in which rows come, virtua may show
 * those of where the list was before. `came` lets them in: begun so many frames behind the jump; -1: the jump follows in the frame in which they come.
 */
export async function jumped(page: Page, share: number, by: number, frames: number, came: () => Promise<unknown>): Promise<number> {
  const watched = await page.evaluateHandle(({ share, by, now, steps }) => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const painted = () => new Promise<void>((done) => { requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { done() }; port2.postMessage(0) }) })
    const state = { worst: 0, frames: 0, on: true }
    const watch = async () => {
      const before = list.scrollHeight
      while (!now && list.scrollHeight === before) await painted()
      list.scrollTop *= share
      const middle = list.getBoundingClientRect().top + list.clientHeight / 2
      let row: HTMLElement | undefined
      while (!row) {
        await painted()
        row = [...list.querySelectorAll<HTMLElement>('.message')].find((row) => row.getBoundingClientRect().bottom > middle)
      }
      const offset = row.dataset['offset'] ?? ''
      const top = () => list.querySelector(`.message[data-offset="${offset}"] .message-body`)?.getBoundingClientRect().top // a message may lose its author's name, above that
      let should = top() ?? NaN
      let gone = 0
      while (state.on) {
        if (state.frames < steps) {
          list.scrollTop += by
          should -= by
        }
        await painted()
        const at = top()
        if (at === undefined) gone++
        state.worst = Math.max(state.worst, gone > 1 ? Infinity : Math.abs((at ?? should) - should))
        state.frames++
      }
    }
    void watch()
    return state
  }, { share, by, now: frames >= 0, steps })
  await page.evaluate(async ({ state, frames }) => {
    while (state.frames < frames) await new Promise(requestAnimationFrame)
  }, { state: watched, frames })
  await came()
  await watched.evaluate(async (state) => {
    for (const from = state.frames; state.frames < from + 20;) await new Promise(requestAnimationFrame) // what has come in is measured
    state.on = false
  })
  return watched.evaluate((state) => state.worst)
}

/**
 * walked scrolls to the beginning, -1, or to the end, 1, half a window a frame, and returns the offsets of the messages that it has seen, whether each was seen
 * once at a time and in the list's order, and how high the list was at most, px.
 */
export async function walked(page: Page, way: -1 | 1): Promise<{ readonly offsets: readonly number[]; readonly order: boolean; readonly highest: number }> {
  return page.evaluate(async (way) => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const painted = () => new Promise<void>((done) => { requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { done() }; port2.postMessage(0) }) })
    const seen = new Set<number>()
    let order = true
    let highest = 0
    const over = () => way < 0
      ? list.scrollTop <= 0 && list.querySelector('.begin') !== null
      : list.scrollHeight - list.scrollTop - list.clientHeight < 2 && document.querySelector('.channel-to-end') === null
    for (let still = 0; still < 10;) {
      await painted()
      const now = [...list.querySelectorAll<HTMLElement>('.message')].map((row) => [Number(row.dataset['offset']), row.getBoundingClientRect().top] as const).sort((a, b) => a[1] - b[1])
      order &&= now.every(([offset], i) => offset > (now[i - 1]?.[0] ?? 0))
      for (const [offset] of now) seen.add(offset)
      highest = Math.max(highest, list.scrollHeight)
      still = over() ? still + 1 : 0
      list.scrollTop += (way * list.clientHeight) / 2
    }
    return { offsets: [...seen], order, highest }
  }, way)
}

/** rows is how many messages of a list are in the document. */
export const rows = (page: Page): Promise<number> => page.locator('.channel-scroll .message').count()
