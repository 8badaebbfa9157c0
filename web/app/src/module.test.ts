import { describe, expect, it } from 'vitest'
import { modules } from 'virtual:modules'
import { moduleNames } from '../modules.ts'
import { register, route, type Command } from './module.ts'
import { find } from './shell/paths.ts'

const screen = () => Promise.reject(new Error('not loaded here'))
const command = (id: string, keys?: readonly string[]): Command => ({ id, group: 'do', title: () => id, run: () => undefined, ...(keys ? { keys } : {}) })

describe('register', () => {
  it('puts manifests together in their order', () => {
    const registry = register([
      { name: 'a', routes: [route('/a', screen)] },
      { name: 'b', routes: [route('/b/:x', screen)], commands: [command('b.do')] },
    ])
    expect(registry.routes.map((r) => r.path)).toEqual(['/a', '/b/:x'])
    expect(registry.commands).toHaveLength(1)
  })
  it('refuses what is there twice', () => {
    expect(() => register([{ name: 'a', commands: [command('x')] }, { name: 'b', commands: [command('x')] }])).toThrow('command x')
    expect(() => register([{ name: 'a', commands: [command('x', ['?']), command('y', ['?'])] }])).toThrow('chord ?')
    expect(() => register([{ name: 'a', routes: [route('/a', screen)] }, { name: 'b', routes: [route('/a', screen)] }])).toThrow('route /a')
  })
})

it('has a screen at each path of the shell and of chat', () => {
  const { routes } = register(modules)
  for (const path of ['/c/x', '/c/x/42', '/t/x/42', '/people', '/settings/profile', '/admin/people', '/browse']) expect(find(routes, path), path).toBeDefined()
})

it('leaves modules out', () => {
  expect(moduleNames([])).toEqual(expect.arrayContaining(['shell', 'chat']))
  expect(moduleNames(['chat'])).not.toContain('chat')
  expect(moduleNames([])[0]).toBe('shell')
})
