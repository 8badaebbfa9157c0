import { describe, expect, it } from 'vitest'
import { place } from './place.ts'

const view = { width: 400, height: 300 }
const size = { width: 100, height: 80 }

describe('place', () => {
  it('goes below, at the start', () => {
    expect(place({ start: 50, top: 50, width: 40, height: 20 }, size, view, 'below', 'start')).toEqual({ x: 50, y: 76 })
  })
  it('goes above where there is no room below', () => {
    expect(place({ start: 50, top: 250, width: 40, height: 20 }, size, view, 'below', 'start').y).toBe(164)
  })
  it('goes above when asked to, and below where there is no room above', () => {
    expect(place({ start: 50, top: 200, width: 40, height: 20 }, size, view, 'above', 'start').y).toBe(114)
    expect(place({ start: 50, top: 20, width: 40, height: 20 }, size, view, 'above', 'start').y).toBe(46)
  })
  it('stays where it was asked for when it fits nowhere', () => {
    expect(place({ start: 50, top: 70, width: 40, height: 20 }, { width: 100, height: 250 }, view, 'below', 'start').y).toBe(42)
  })
  it('is moved into the window', () => {
    expect(place({ start: 380, top: 50, width: 20, height: 20 }, size, view, 'below', 'start').x).toBe(292)
    expect(place({ start: 0, top: 50, width: 20, height: 20 }, size, view, 'below', 'end').x).toBe(8)
  })
  it('goes after, or before', () => {
    expect(place({ start: 50, top: 50, width: 40, height: 20 }, size, view, 'after', 'start')).toEqual({ x: 96, y: 50 })
    expect(place({ start: 300, top: 50, width: 40, height: 20 }, size, view, 'after', 'start').x).toBe(194)
  })
})
