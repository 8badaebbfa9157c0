/** Messages that are taller than a screen are folded until somebody asks for all of them. How tall that is stands in body.css. */

/** A text that is shorter than this, in characters and lines, is shown whole: it has no more than some screens, however narrow they are. */
const shortest = { characters: 200, lines: 10 }

/** mayFold says whether a text may be too tall. */
export function mayFold(text: string): boolean {
  return text.length > shortest.characters || text.split('\n', shortest.lines + 1).length > shortest.lines
}

const told = new WeakMap<Element, (over: boolean) => void>()
let observer: ResizeObserver | undefined

/** whenOver tells, after each layout that changes an element, whether there is more in it than is seen. It returns what ends that. */
export function whenOver(element: Element, tell: (over: boolean) => void): () => void {
  observer ??= new ResizeObserver((entries) => {
    const all = entries.map(({ target }) => [target, target.scrollHeight > target.clientHeight + 1] as const) // all is read before anything is changed
    for (const [target, over] of all) told.get(target)?.(over)
  })
  told.set(element, tell)
  observer.observe(element)
  return () => observer?.unobserve(element)
}
