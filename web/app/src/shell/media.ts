import { createSignal, type Accessor } from 'solid-js'

/** media is whether a media query holds. It follows as long as the page is there: call it once. */
export function media(query: string): Accessor<boolean> {
  const list = window.matchMedia(query)
  const [holds, setHolds] = createSignal(list.matches)
  list.addEventListener('change', () => setHolds(list.matches))
  return holds
}

/** narrow: one column, and the sidebar is a drawer. As in shell.css. */
export const narrow = media('(width < 48rem)')

/** coarse: one points with a finger, and types on the glass. */
export const coarse = media('(pointer: coarse)')
