import { describe, expect, it } from 'vitest'
import { bare, labels, matches, type Pressed } from './chord.ts'

const pressed = (key: string, more: Partial<Pressed> = {}): Pressed => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more })

describe('matches', () => {
  it('takes Command for Mod on Apple’s machines, Control elsewhere', () => {
    expect(matches(pressed('k', { ctrlKey: true }), 'Mod+K', false)).toBe(true)
    expect(matches(pressed('k', { metaKey: true }), 'Mod+K', true)).toBe(true)
    expect(matches(pressed('k', { metaKey: true }), 'Mod+K', false)).toBe(false)
    expect(matches(pressed('k', { ctrlKey: true }), 'Mod+K', true)).toBe(false)
  })
  it('wants exactly the modifiers', () => {
    expect(matches(pressed('ArrowDown', { altKey: true, shiftKey: true }), 'Alt+Shift+ArrowDown', false)).toBe(true)
    expect(matches(pressed('ArrowDown', { altKey: true, shiftKey: true }), 'Alt+ArrowDown', false)).toBe(false)
    expect(matches(pressed('k', { ctrlKey: true, altKey: true }), 'Mod+K', false)).toBe(false)
  })
  it('knows signs by what they are, whatever keys make them', () => {
    expect(matches(pressed('?', { shiftKey: true }), '?', false)).toBe(true)
    expect(matches(pressed('?'), '?', false)).toBe(true)
    expect(matches(pressed('/', { ctrlKey: true }), 'Mod+/', false)).toBe(true)
  })
  it('knows letters by their place, where another script or Alt makes others of them', () => {
    expect(matches(pressed('л', { ctrlKey: true, code: 'KeyK' }), 'Mod+K', false)).toBe(true)
    expect(matches(pressed('®', { altKey: true, code: 'KeyR' }), 'Alt+R', true)).toBe(true)
    // On Dvorak the key at K's place is T: the letter counts.
    expect(matches(pressed('t', { ctrlKey: true, code: 'KeyK' }), 'Mod+K', false)).toBe(false)
  })
})

it('tells what one also types', () => {
  expect(['?', 'Mod+/', 'Alt+R', 'Escape', 'J'].map(bare)).toEqual([true, false, false, false, true])
})

it('labels keys', () => {
  expect(labels('Mod+Shift+ArrowDown', false)).toEqual(['Ctrl', 'Shift', '↓'])
  expect(labels('Mod+K', true)).toEqual(['⌘', 'K'])
})
