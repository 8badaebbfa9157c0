import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'

/** Codec writes and reads a message: it is what src/proto exports beside the message's type. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter
  decode(input: BinaryReader | Uint8Array, length?: number): T
}

/**
 * Method is one that users may call. Its kind says what a repetition does: a `read` changes nothing; a `change` takes a client_seq, by which it takes
 * place once however often it is sent; what is called `once` is never repeated by itself, since nothing says what that would do.
 */
export interface Method<Q, A> {
  /** "plenum.chat.v1.ChatService/Send" */
  readonly name: string
  readonly kind: 'read' | 'change' | 'once'
  readonly request: Codec<Q>
  readonly response: Codec<A>
}

export function method<Q, A>(name: string, kind: Method<Q, A>['kind'], request: Codec<Q>, response: Codec<A>): Method<Q, A> {
  return { name, kind, request, response }
}

const nothing = new Uint8Array()

/** message is a message with some fields set, and all others as if they weren't there. */
export function message<T extends object>(of: Codec<T>, fields: Partial<T>): T {
  return { ...of.decode(nothing), ...fields }
}

/** encode writes a message of which some fields are set. */
export function encode<T extends object>(of: Codec<T>, fields: Partial<T>): Uint8Array {
  return of.encode(message(of, fields)).finish()
}
