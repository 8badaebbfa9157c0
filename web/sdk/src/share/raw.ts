import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { Codec, Method } from '../method.ts'

/** Raw is a message of which only the bytes are known: what passes through a page that doesn't look at it. */
export interface Raw {
  readonly bytes: Uint8Array
}

const codec: Codec<Raw> = {
  encode: ({ bytes }, writer = new BinaryWriter()) => writer.raw(bytes),
  decode(input) {
    if (input instanceof Uint8Array) return { bytes: input }
    throw new TypeError('a raw message is read from bytes')
  },
}

/** rawMethod is a method by its name, with requests and answers as they are on the wire. */
export const rawMethod = (name: string, kind: Method<Raw, Raw>['kind']): Method<Raw, Raw> => ({ name, kind, request: codec, response: codec })
