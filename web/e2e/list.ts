import type { Page } from '@playwright/test'

/** What the reader sees of a list of messages, measured as frames are painted. */

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

/** rows is how many messages of a list are in the document. */
export const rows = (page: Page): Promise<number> => page.locator('.channel-scroll .message').count()
