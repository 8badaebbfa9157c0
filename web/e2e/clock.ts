import type { Page } from '@playwright/test'

/** Moments are Unix ms with fractions, of the one clock that all pages of a machine have. */
export type Moment = number

/**
 * painted resolves with the moment at which the page has painted an element that matches, and contains the text; `gone`: at which it has painted without.
 * Await it before what brings that about: what it returns then is waited for.
 */
export async function painted(page: Page, selector: string, text = '', gone = false): Promise<{ readonly at: Promise<Moment> }> {
  const watched = await page.evaluateHandle(
    ({ selector, text, gone }) => ({
      at: new Promise<number>((done) => {
        const look = () => {
          const there = [...document.querySelectorAll(selector)].some((element) => element.textContent.includes(text))
          if (there === gone) {
            requestAnimationFrame(look)
            return
          }
          // The next task behind a frame's callbacks comes when it is painted.
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = () => { done(performance.timeOrigin + performance.now()) }
          port2.postMessage(0)
        }
        requestAnimationFrame(look)
      }),
    }),
    { selector, text, gone },
  )
  return { at: watched.evaluate((w) => w.at) }
}

/** pressed resolves with the moment of the page's next event of the type, a key or a click, as the system has stamped it. */
export async function pressed(page: Page, type: 'keydown' | 'click'): Promise<{ readonly at: Promise<Moment> }> {
  const watched = await page.evaluateHandle(
    (type) => ({
      at: new Promise<number>((done) => {
        window.addEventListener(type, (event) => { done(performance.timeOrigin + event.timeStamp) }, { once: true, capture: true })
      }),
    }),
    type,
  )
  return { at: watched.evaluate((w) => w.at) }
}

/** took is how long it takes, in ms, from the event until what is painted. */
export async function took(page: Page, event: 'keydown' | 'click', selector: string, text: string, act: () => Promise<void>, seenBy: Page = page): Promise<number> {
  const begin = await pressed(page, event)
  const end = await painted(seenBy, selector, text)
  await act()
  return (await end.at) - (await begin.at)
}
