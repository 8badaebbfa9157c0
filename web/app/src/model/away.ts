import { createMemo, createRoot, type Accessor } from 'solid-js'
import type { Connection, Model } from './model.ts'

/** lost is that the connection went away, and has not come back: attempts in between change nothing. */
export function lost(connection: Connection, before: boolean): boolean {
  if (connection.kind === 'connecting') return before
  return connection.kind === 'offline'
}

/** Of each model one, for as long as it lives: who begins to look while an attempt is made has to know what was before. */
const aways = new WeakMap<Model, Accessor<boolean>>()

/** away is that the connection of a model was lost, and has not come back; a signal. */
export function away(model: Model): boolean {
  let there = aways.get(model)
  if (there === undefined) {
    there = createRoot(() => createMemo<boolean>((before) => lost(model.connection(), before), false), null)
    aways.set(model, there)
  }
  return there()
}
