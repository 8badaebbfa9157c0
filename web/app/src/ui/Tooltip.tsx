import { createSignal, onCleanup, onMount } from 'solid-js'
import { Keys } from './Kbd.tsx'
import { moveBeside } from './place.ts'

const showAfter = 450 // ms; at once when another one has just been shown
const warmFor = 600 // ms

/** Tooltips shows `data-tip` of what is under the pointer or focused by the keyboard. It repeats names, so it is hidden from screen readers. */
export function Tooltips() {
  const [tip, setTip] = createSignal<{ readonly words: string; readonly keys: string | undefined }>()
  let element!: HTMLDivElement
  let timer: ReturnType<typeof setTimeout> | undefined
  let hidden = 0

  const hide = () => {
    clearTimeout(timer)
    if (!tip()) return
    hidden = Date.now()
    setTip(undefined)
    element.hidePopover()
  }
  const show = (anchor: HTMLElement) => {
    const words = anchor.dataset['tip']
    if (!words || !anchor.isConnected) return
    setTip({ words, keys: anchor.dataset['keys'] })
    element.showPopover()
    moveBeside(element, anchor, 'below', 'centre')
  }
  const over = (event: Event) => {
    const anchor = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-tip]') : null
    hide()
    if (!anchor) return
    if (event.type === 'focusin') {
      // Later: a menu that is just being hidden gives the focus back, and nothing can be shown meanwhile.
      if (anchor.matches(':focus-visible')) queueMicrotask(() => anchor === document.activeElement && show(anchor))
    } else if (event instanceof PointerEvent && event.pointerType === 'mouse') {
      timer = setTimeout(() => show(anchor), Date.now() - hidden < warmFor ? 0 : showAfter)
    }
  }
  onMount(() => {
    const events = ['pointerover', 'focusin'] as const
    const away = ['pointerdown', 'keydown', 'wheel', 'focusout'] as const
    for (const name of events) document.addEventListener(name, over)
    for (const name of away) document.addEventListener(name, hide, { passive: true })
    onCleanup(() => {
      for (const name of events) document.removeEventListener(name, over)
      for (const name of away) document.removeEventListener(name, hide)
    })
  })
  return (
    <div ref={element} class="tip" popover="manual" aria-hidden="true">
      {tip()?.words}
      {tip()?.keys && <Keys chord={tip()?.keys ?? ''} />}
    </div>
  )
}
