import type { VListHandle } from 'virtua/solid'
import type { Row } from './rows.ts'

/** So many rows at the beginning change as older ones come in: a day and the divider go before them, and a message may lose its author's name. */
const changing = 3

/** What a hold needs of virtua's list: its places are px from the beginning, its offset is as of the last event of scrolling. */
export type List = Pick<VListHandle, 'scrollOffset' | 'scrollSize' | 'viewportSize' | 'findItemIndex' | 'getItemOffset' | 'getItemSize'>

/** What it needs of the element that scrolls. */
export type Scroller = Pick<HTMLElement, 'scrollTop' | 'scrollHeight' | 'clientHeight'>

/**
 * Hold keeps a list where it was sent, at its end or at a row, whatever is measured and comes in, until somebody scrolls: virtua's own way goes on for a while
 * after that. Where nobody has sent it virtua keeps what is read where it is, but for two times, which Hold mends by how far a row that stays has moved:
 *
 * - From when rows came or went at the beginning until scrolling ends, virtua keeps the distance to the end: what is measured below what is read moves it.
 * - While it stands or is scrolled up, virtua keeps the row that begins above the window: what changes in that one moves all that is read below it.
 */
export class Hold {
  readonly #list: () => List | undefined
  readonly #scroller: () => Scroller | undefined
  readonly #rows: () => readonly Row[]
  #at: 'end' | Row | undefined
  /** Where it was last that nobody had scrolled it. */
  #top = 0
  /** What virtua keeps, as above; undefined: what is in sight, as somebody scrolls down. */
  #virtua: 'distance' | Row | undefined
  /** The row that stays where it is meanwhile, and how far it is from what virtua keeps. */
  #anchor: Row | undefined
  #far = 0

  /** `rows` are what the list shows. */
  constructor(list: () => List | undefined, scroller: () => Scroller | undefined, rows: () => readonly Row[]) {
    this.#list = list
    this.#scroller = scroller
    this.#rows = rows
  }

  get atEnd(): boolean {
    return this.#at === 'end'
  }

  /** to goes to the end, or has a row in the middle. */
  to(at: 'end' | Row): void {
    this.#at = at
    this.#put()
  }

  /** leave has the list where it is, whatever grows in sight grows down. */
  leave(): void {
    this.#at = undefined
    const list = this.#list()
    if (this.#virtua !== 'distance') this.#virtua = undefined
    this.#keep(this.#virtua && list && this.#rows()[list.findItemIndex(list.scrollOffset)])
  }

  /** scrolled is that it was, by whomever. `last`: its end is the room's, where it stays. */
  scrolled(last: boolean): void {
    const list = this.#list()
    if (list === undefined) return
    if (Math.abs(list.scrollOffset - this.#top) >= 1) {
      this.#at = undefined
      if (this.#virtua !== 'distance') this.#virtua = list.scrollOffset < this.#top ? this.#rows()[list.findItemIndex(list.scrollOffset)] : undefined
    }
    this.#top = list.scrollOffset
    if (last && list.scrollSize - list.scrollOffset - list.viewportSize < 2) this.#at = 'end'
    this.#aim()
  }

  /** stands is that scrolling has ended. */
  stands(): void {
    const list = this.#list()
    if (list === undefined) return
    this.#anchor = undefined
    this.#virtua = this.#rows()[list.findItemIndex(list.scrollOffset)]
    this.#aim()
  }

  /** measured is that heights have changed, and virtua has done what it does then. */
  measured(last: boolean): void {
    const scroller = this.#scroller()
    if (scroller === undefined) return
    const by = this.#distance() - this.#far
    this.#far += by
    if (this.#at !== undefined) this.#put()
    else if (by !== 0) scroller.scrollTop += by
    this.#top = scroller.scrollTop
    if (last && scroller.scrollHeight - this.#top - scroller.clientHeight < 2) this.#at = 'end'
  }

  /** changing is that the rows will be others. `shift`: some come or go at the beginning. */
  changing(shift: boolean): void {
    if (!shift) return
    this.#virtua = 'distance'
    this.#aim()
  }

  /** changed is that they are. */
  changed(): void {
    if (this.#at !== undefined) this.#put()
    this.#top = this.#scroller()?.scrollTop ?? 0
    this.#far = this.#distance()
  }

  #put(): void {
    const [list, scroller] = [this.#list(), this.#scroller()]
    if (list === undefined || scroller === undefined || this.#at === undefined) return
    const index = this.#at === 'end' ? -1 : this.#rows().indexOf(this.#at)
    if (this.#at === 'end') scroller.scrollTop = scroller.scrollHeight
    else if (index >= 0) scroller.scrollTop = list.getItemOffset(index) + (list.getItemSize(index) - list.viewportSize) / 2
    this.#top = scroller.scrollTop // as far as it goes
  }

  /** aim chooses the row that stays: the one that did, as long as it is in sight, for what is above it may not be measured yet; else the first that begins there. */
  #aim(): void {
    const list = this.#list()
    if (list === undefined || this.#virtua === undefined) {
      this.#keep(undefined)
      return
    }
    const rows = this.#rows()
    const old = this.#anchor === undefined ? -1 : rows.indexOf(this.#anchor)
    const down = old < changing ? -1 : list.getItemOffset(old) - list.scrollOffset
    const first = list.findItemIndex(list.scrollOffset)
    const stays = down >= 0 && down <= list.viewportSize ? old : list.getItemOffset(first) < list.scrollOffset ? first + 1 : first
    if (this.#virtua !== 'distance') this.#virtua = rows[first]
    this.#keep(rows[Math.max(changing, stays)])
  }

  #keep(anchor: Row | undefined): void {
    this.#anchor = anchor
    this.#far = this.#distance()
  }

  #distance(): number {
    const [list, rows] = [this.#list(), this.#rows()]
    const of = (row: Row | undefined) => (row === undefined ? -1 : rows.indexOf(row))
    const [anchor, kept] = [of(this.#anchor), this.#virtua === 'distance' ? rows.length : of(this.#virtua)]
    if (list === undefined || anchor < 0 || kept < 0) return 0
    return list.getItemOffset(anchor) - (kept === rows.length ? list.scrollSize : list.getItemOffset(kept))
  }
}
