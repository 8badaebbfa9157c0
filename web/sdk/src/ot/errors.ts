/** Kind numbers what can be wrong with an operation, as docs/ot does. */
export const Kind = {
  /** Not JSON, or not of the form of a Delta: an unknown key, a key twice, two actions in one operation. */
  Malformed: 1,
  /** A lone surrogate. */
  BadText: 2,
  /** A length that is zero, negative, not whole, or beyond maxLength. */
  BadLength: 3,
  /** The operation's bytes, operations, embed or attributes are beyond a limit. */
  TooLarge: 4,
  /** Attributes or an embed nest deeper than the limit. */
  TooDeep: 5,
  /** The operation goes past the end of the document. */
  PastEnd: 6,
  /** A boundary lies within a surrogate pair of the text that it is applied to. */
  SplitPair: 7,
  /** The document would be longer, or hold more embeds or attributes, than the limit. */
  DocumentFull: 8,
  /** An embed is retained where there is none, or one of another type. */
  EmbedMismatch: 9,
  /** An embed of this type can't be changed, only inserted and deleted. */
  NoHandler: 10,
  /** The handler of the embed's type refused the change. */
  HandlerFailed: 11,
  /** A document was wanted, and this has retains or deletes. */
  NotDocument: 12,
} as const

export type Kind = (typeof Kind)[keyof typeof Kind]

/** noOp is the index of an OtError that is about the whole Delta. */
export const noOp = -1

/** OtError says what is wrong and where. Every error that the engine throws is one. */
export class OtError extends Error {
  override readonly name = 'OtError'
  readonly kind: Kind
  /** Index of the operation at fault, as it was given; noOp: the whole. */
  readonly op: number

  constructor(kind: Kind, op: number, text: string, cause?: unknown) {
    super(op === noOp ? `ot: ${text}` : `ot: operation ${op}: ${text}`, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.op = op
  }
}

export const splitPair = (op: number) => new OtError(Kind.SplitPair, op, 'its boundary lies within a surrogate pair')

export const pastEnd = (op: number) => new OtError(Kind.PastEnd, op, 'it goes past the end of the document')
