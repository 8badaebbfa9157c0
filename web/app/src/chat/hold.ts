/** For how many frames a place that isn't near the end is held, behind the last in which something was measured or scrolled: on a slow page they are long. */
const settling = 10

/** What a hold needs of the element that scrolls. */
export type Scroller = Pick<HTMLElement, 'scrollTop' | 'scrollHeight' | 'clientHeight'>

/**
 * Hold keeps a list at a place that moves, as its rows are measured and others come: the end, or a row. Whoever scrolls ends it at once, in whatever way, for the
 * list is somewhere else then than where it was put.
 */
export class Hold {
  readonly #scroller: () => Scroller | undefined
  readonly #settled: () => void
  #place: (() => number) | undefined
  /** Where it was put last. */
  #put = 0
  #kind: 'end' | 'place' = 'end'
  /** Frames until it is settled. */
  #left = 0

  /** `settled` is called when a place is held no longer, and nobody has scrolled. */
  constructor(scroller: () => Scroller | undefined, settled: () => void) {
    this.#scroller = scroller
    this.#settled = settled
  }

  get held(): 'end' | 'place' | undefined {
    return this.#place && this.#kind
  }

  /** to goes to a place, and stays until it is settled. */
  to(place: () => number): void {
    this.#begin(place, 'place')
    this.#go()
  }

  /** keep stays at a place where the list is, until it is settled. */
  keep(place: () => number): void {
    this.#begin(place, 'place')
    this.#put = this.#scroller()?.scrollTop ?? 0
  }

  /** toEnd goes to the end, and stays. */
  toEnd(): void {
    this.#begin(() => this.#end(), 'end')
    this.#go()
  }

  /** stay stays as near to the end as it is. */
  stay(): void {
    const scroller = this.#scroller()
    if (scroller === undefined) return
    const left = Math.max(0, this.#end() - scroller.scrollTop)
    this.#begin(() => this.#end() - left, 'end')
    this.#put = scroller.scrollTop
  }

  /** measured is that sizes have changed. It returns whether a place is held. */
  measured(): boolean {
    if (this.#place !== undefined) this.#go()
    return this.#place !== undefined
  }

  /** moved is that the list was scrolled. It returns whether somebody else did so: then nothing is held any more. */
  moved(): boolean {
    const scroller = this.#scroller()
    this.#left = settling
    if (this.#place !== undefined && scroller !== undefined && Math.abs(scroller.scrollTop - this.#put) <= 1) return false
    this.release()
    return true
  }

  release(): void {
    this.#place = undefined
  }

  #begin(place: () => number, kind: 'end' | 'place'): void {
    this.#place = place
    this.#kind = kind
    this.#left = settling
    if (kind === 'end') return
    const frame = () => {
      if (this.#place !== place) return
      if (--this.#left > 0) {
        requestAnimationFrame(frame)
        return
      }
      this.release()
      this.#settled()
    }
    requestAnimationFrame(frame)
  }

  #go(): void {
    const [scroller, place] = [this.#scroller(), this.#place]
    if (scroller === undefined || place === undefined) return
    const to = Math.min(Math.max(0, place()), this.#end())
    if (Math.abs(scroller.scrollTop - to) > 0.5) scroller.scrollTop = to
    this.#put = scroller.scrollTop // as it was rounded
    this.#left = settling
  }

  #end(): number {
    const scroller = this.#scroller()
    return scroller === undefined ? 0 : Math.max(0, scroller.scrollHeight - scroller.clientHeight)
  }
}
