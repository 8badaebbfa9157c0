/** Where what floats goes: beside its anchor, inside the window. */

/** A rectangle as lines run: `start` is the distance from where they begin. All in CSS px. */
export interface Box {
  readonly start: number
  readonly top: number
  readonly width: number
  readonly height: number
}

export interface Size {
  readonly width: number
  readonly height: number
}

export type Side = 'below' | 'above' | 'after'

const margin = 8 // px to the window's edge
const distance = 6 // px to the anchor

/** place is where the upper start corner goes: on the side that was asked for, on the other one where there is more room, and moved into the window. */
export function place(anchor: Box, size: Size, view: Size, side: Side, align: 'start' | 'end' | 'centre'): { readonly x: number; readonly y: number } {
  const inside = (at: number, length: number, all: number) => Math.max(margin, Math.min(at, all - length - margin))
  if (side === 'after') {
    const after = anchor.start + anchor.width + distance
    const x = after + size.width + margin <= view.width ? after : anchor.start - distance - size.width
    return { x: inside(x, size.width, view.width), y: inside(anchor.top, size.height, view.height) }
  }
  const below = anchor.top + anchor.height + distance
  const above = anchor.top - distance - size.height
  const fits = side === 'below' ? below + size.height + margin <= view.height : above >= margin
  const other = side === 'below' ? above >= margin : below + size.height + margin <= view.height
  const y = (side === 'below') === (fits || !other) ? below : above
  const free = anchor.width - size.width
  const x = anchor.start + (align === 'start' ? 0 : align === 'end' ? free : free / 2)
  return { x: inside(x, size.width, view.width), y: inside(y, size.height, view.height) }
}

/** roomBeside is how tall may be, in px, what is to stand above or below an element and not over it; never less than two lines. */
export function roomBeside(anchor: Element): number {
  const { top, bottom } = anchor.getBoundingClientRect()
  return Math.max(top, window.innerHeight - bottom, 80) - distance - margin
}

/** moveBeside puts an element with `--x` and `--y` beside another one. */
export function moveBeside(element: HTMLElement, anchor: Element, side: Side, align: 'start' | 'end' | 'centre'): void {
  const view = { width: document.documentElement.clientWidth, height: window.innerHeight }
  const r = anchor.getBoundingClientRect()
  const start = document.documentElement.dir === 'rtl' ? view.width - r.right : r.left
  const at = place({ start, top: r.top, width: r.width, height: r.height }, { width: element.offsetWidth, height: element.offsetHeight }, view, side, align)
  element.style.setProperty('--x', `${at.x}px`)
  element.style.setProperty('--y', `${at.y}px`)
}
