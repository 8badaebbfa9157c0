import { beforeEach, describe, expect, it } from 'vitest'
import { Hold, type List } from './hold.ts'
import type { Row } from './rows.ts'

/** A list of which virtua keeps nothing: what it would do, a test does. */
class Listed implements List {
  heights: number[] = Array<number>(20).fill(100)
  rows: Row[] = this.heights.map((_, i) => ({ kind: 'day', key: String(i), ms: i }))
  scrollOffset = 0
  viewportSize = 400
  #top = 0

  get scrollSize(): number {
    return this.getItemOffset(this.heights.length)
  }
  get scrollHeight(): number {
    return this.scrollSize
  }
  get clientHeight(): number {
    return this.viewportSize
  }
  get scrollTop(): number {
    return Math.max(0, Math.min(this.#top, this.scrollSize - this.viewportSize))
  }
  set scrollTop(to: number) {
    this.#top = to
  }
  findItemIndex(offset: number): number {
    return this.heights.findIndex((_, i) => this.getItemOffset(i + 1) > offset)
  }
  getItemOffset(index: number): number {
    return this.heights.slice(0, index).reduce((sum, height) => sum + height, 0)
  }
  getItemSize(index: number): number {
    return this.heights[index] ?? 0
  }
}

let list: Listed
let hold: Hold
/** The event of scrolling; `to`: somebody does. */
const scrolls = (to?: number) => {
  if (to !== undefined) list.scrollTop = to
  list.scrollOffset = list.scrollTop
  hold.scrolled(true)
}
/** A row has another height; virtua moves the window by so much. */
const grows = (index: number, by: number, virtua = 0) => {
  list.heights[index] = (list.heights[index] ?? 0) + by
  list.scrollTop += virtua
  hold.measured(true)
}
beforeEach(() => {
  list = new Listed()
  hold = new Hold(() => list, () => list, () => list.rows)
})

describe('where it was sent', () => {
  it('stays at the end until somebody scrolls, and again from when they are there', () => {
    hold.to('end')
    scrolls()
    grows(19, 300)
    expect([hold.atEnd, list.scrollTop]).toEqual([true, 1900])
    scrolls()
    scrolls(1895)
    expect(hold.atEnd).toBe(false)
    grows(19, 300)
    expect(list.scrollTop).toBe(1895)
    scrolls(2200)
    expect(hold.atEnd).toBe(true)
  })

  it('has a row in the middle, until it is left', () => {
    const row = list.rows[10]
    if (row) hold.to(row)
    expect(list.scrollTop).toBe(850)
    grows(3, 60)
    expect(list.scrollTop).toBe(910)
    hold.leave()
    grows(3, 60)
    expect(list.scrollTop).toBe(910)
  })
})

describe('where nobody has sent it', () => {
  it('what is measured below what is read moves nothing while virtua keeps the distance to the end', () => {
    scrolls(850)
    hold.changing(true)
    hold.changed()
    grows(15, 40, 40)
    expect(list.scrollTop).toBe(850)
    grows(2, 40, 40) // above: virtua is right
    expect(list.scrollTop).toBe(890)
    scrolls()
    hold.stands()
    grows(15, 40)
    expect(list.scrollTop).toBe(890)
  })

  it('what changes in the row that begins above the window grows up, unless somebody asks for all of it or scrolls down', () => {
    scrolls(1050)
    scrolls(850)
    grows(8, 28)
    expect(list.scrollTop).toBe(878)
    scrolls()
    hold.stands()
    grows(8, 28)
    expect(list.scrollTop).toBe(906)
    grows(12, 28) // in sight
    expect(list.scrollTop).toBe(906)
    hold.leave()
    grows(8, 500)
    expect(list.scrollTop).toBe(906)
    scrolls(950)
    grows(8, 28)
    expect(list.scrollTop).toBe(950)
  })

  it('the row that stays is none of those that older ones change', () => {
    scrolls(0)
    hold.changing(true)
    hold.changed()
    list.heights.unshift(100)
    list.rows.unshift({ kind: 'day', key: 'older', ms: 0 })
    list.scrollTop += 100
    hold.changed()
    grows(2, -28, -28)
    expect(list.scrollTop).toBe(72)
  })
})

it('does nothing where there is no list', () => {
  const none = new Hold(() => undefined, () => undefined, () => [])
  none.to('end')
  none.scrolled(true)
  none.measured(true)
  none.stands()
  none.leave()
  expect(none.atEnd).toBe(false)
})
