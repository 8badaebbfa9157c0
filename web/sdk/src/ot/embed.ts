import { writeObject, type Member } from './attributes.ts'
import { Kind, OtError } from './errors.ts'
import { bytesOf } from './utf16.ts'

/** Embed is a thing in a text that isn't text, of length 1: a JSON object whose key is its type, like {"image":"…"}. It is immutable. */
export class Embed {
  /** Its only key; '' if it has several, which quill-delta allows: then it can't be changed. */
  readonly kind: string
  /** The key's value, in canonical JSON. */
  readonly data: string
  /** The whole object, canonical. */
  readonly json: string
  #bytes = -1

  /** Of members that are sorted, one at least. */
  constructor(members: readonly Member[]) {
    this.json = writeObject(members)
    const [only] = members
    this.kind = members.length === 1 && only !== undefined ? only.key : ''
    this.data = members.length === 1 && only !== undefined ? only.value : 'null'
  }

  /** bytes is what it counts against a limit. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = bytesOf(this.json)
    return this.#bytes
  }
}

/** sameEmbed compares, data included. */
export function sameEmbed(a: Embed | null, b: Embed | null): boolean {
  return a === b || (a !== null && b !== null && a.json === b.json)
}

/**
 * EmbedHandler changes the embeds of one type: what an object retain holds is its operation. It has to be pure. Values are canonical JSON, and so
 * has to be what it returns. What it throws refuses the change.
 */
export interface EmbedHandler {
  /** a, then b. Over a retain (keepNull) a is an operation and what it removes has to stay removable; else a is the embed's data. */
  compose(a: string, b: string, keepNull: boolean): string
  /** What takes op back where it was applied to base, the embed's data. */
  invert(op: string, base: string): string
  /** b as it is to be applied after a; with priority a was first. */
  transform(a: string, b: string, priority: boolean): string
}

/** Embeds are the handlers by the type of embed. Types without one can be inserted and deleted only. */
export type Embeds = ReadonlyMap<string, EmbedHandler>

/** noEmbeds has no handler: the service has none either. */
export const noEmbeds: Embeds = new Map()

/** embedOver is what an object retain makes of what is there: of an embed, or of an earlier retain of one. */
export function embedOver(embeds: Embeds, there: Embed | null, change: Embed, retained: boolean, op: number): Embed {
  const [handler, known] = handlerOf(embeds, there, change, op)
  return changed(change.kind, op, () => handler.compose(known.data, change.data, retained))
}

/** embedInverse is the object retain that takes change back. */
export function embedInverse(embeds: Embeds, change: Embed, base: Embed | null, op: number): Embed {
  const [handler, known] = handlerOf(embeds, base, change, op)
  return changed(change.kind, op, () => handler.invert(change.data, known.data))
}

/** embedTransform is change as it is to be applied after first. Changes of different types don't meet. */
export function embedTransform(embeds: Embeds, first: Embed, change: Embed, priority: boolean, op: number): Embed {
  if (first.kind !== change.kind) return change
  const [handler] = handlerOf(embeds, first, change, op)
  return changed(change.kind, op, () => handler.transform(first.data, change.data, priority))
}

function handlerOf(embeds: Embeds, there: Embed | null, change: Embed, op: number): [EmbedHandler, Embed] {
  if (there === null) throw new OtError(Kind.EmbedMismatch, op, `it changes an embed of type "${change.kind}" where there is text`)
  if (there.kind !== change.kind) {
    throw new OtError(Kind.EmbedMismatch, op, `it changes an embed of type "${change.kind}" where there is one of type "${there.kind}"`)
  }
  const handler = embeds.get(change.kind)
  if (handler === undefined) throw new OtError(Kind.NoHandler, op, `embeds of type "${change.kind}" can't be changed`)
  return [handler, there]
}

function changed(kind: string, op: number, change: () => string): Embed {
  try {
    return new Embed([{ key: kind, value: change() }])
  } catch (cause) {
    throw new OtError(Kind.HandlerFailed, op, 'its change of the embed is refused', cause)
  }
}
