import { describe, expect, it } from 'vitest'
import { modules } from 'virtual:modules'
import { register } from '../module.ts'
import type { Pressed } from '../ui/chord.ts'
import { commandFor, types } from './keyboard.ts'

const { commands } = register(modules)
const free = { typing: false, dialog: false }
const pressed = (key: string, more: Partial<Pressed> = {}): Pressed => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more })
const id = (event: Pressed, situation = free) => commandFor(commands, event, situation)?.id

describe('commandFor', () => {
  it('finds commands', () => {
    expect(id(pressed('k', { ctrlKey: true }))).toBe('shell.palette')
    expect(id(pressed('ArrowDown', { altKey: true, shiftKey: true }))).toBe('shell.nextUnread')
    expect(id(pressed('?', { shiftKey: true }))).toBe('shell.keys')
    expect(id(pressed('x'))).toBeUndefined()
  })
  it('lets one type', () => {
    expect(id(pressed('?', { shiftKey: true }), { typing: true, dialog: false })).toBeUndefined()
    expect(id(pressed('k', { ctrlKey: true }), { typing: true, dialog: false })).toBe('shell.palette')
  })
  it('leaves dialogs alone, but for the palette', () => {
    expect(id(pressed('Escape'), { typing: false, dialog: true })).toBeUndefined()
    expect(id(pressed('k', { ctrlKey: true }), { typing: true, dialog: true })).toBe('shell.palette')
  })
})

describe('types', () => {
  it('is for what is written, and nothing else', () => {
    for (const key of ['x', 'É', 'わ', '3', '@', '😀']) expect(types(pressed(key), free)).toBe(true)
    for (const key of [' ', 'Enter', 'ArrowDown', 'F6', 'Dead', 'Process']) expect(types(pressed(key), free)).toBe(false)
    expect(types(pressed('c', { ctrlKey: true }), free)).toBe(false)
    expect(types(pressed('c', { metaKey: true }), free)).toBe(false)
  })
  it('is for nobody who types already, nor in a dialog', () => {
    expect(types(pressed('x'), { typing: true, dialog: false })).toBe(false)
    expect(types(pressed('x'), { typing: false, dialog: true })).toBe(false)
  })
})
