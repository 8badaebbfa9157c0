import { sizeOf, type Attributes } from './attributes.ts'
import { Kind, noOp, OtError } from './errors.ts'
import { maxLength, type Limits } from './limits.ts'
import { sameOp, writeOp, type Op } from './op.ts'
import { Scanner } from './scan.ts'
import { bytesOf } from './utf16.ts'

/** Delta is a list of operations: a change of a document, or, if all are inserts, a document. It is immutable. */
export class Delta {
  readonly ops: readonly Op[]
  /** Known to be in normal form: then parts of it can be copied as they are. */
  readonly normal: boolean

  constructor(ops: readonly Op[], normal: boolean) {
    this.ops = ops
    this.normal = normal
  }

  /** isEmpty: it changes nothing. */
  get isEmpty(): boolean {
    return this.ops.length === 0
  }

  /** length is the sum of all operations' lengths, in UTF-16 code units: of a document its length. */
  get length(): number {
    return this.ops.reduce((n, op) => n + op.n, 0)
  }

  /** changeLength is by how much the document becomes longer, in UTF-16 code units; negative if shorter. */
  get changeLength(): number {
    return this.ops.reduce((n, op) => n + (op.action === 'insert' ? op.n : op.action === 'delete' ? -op.n : 0), 0)
  }

  /** baseLength is how much of a document the operations go through. */
  get baseLength(): number {
    return this.ops.reduce((n, op) => n + (op.action === 'insert' ? 0 : op.n), 0)
  }

  /** isDocument reports that there is nothing but inserts. */
  get isDocument(): boolean {
    return this.ops.every((op) => op.action === 'insert')
  }

  /** equals compares operation by operation: Deltas in normal form are equal if they do the same. */
  equals(other: Delta): boolean {
    return this.ops.length === other.ops.length && this.ops.every((op, i) => sameOp(op, other.ops[i] ?? op))
  }

  /** json is canonical (RFC 8785): {"ops":[…]}, no white space, the keys of every object sorted. Equal Deltas have equal texts. */
  json(): string {
    return `{"ops":[${this.ops.map(writeOp).join(',')}]}`
  }

  toString(): string {
    return this.json()
  }
}

/** empty changes nothing. */
export const empty = new Delta([], true)

/** check holds a Delta that was made here, not parsed, against the limits. */
export function check(d: Delta, l: Limits): void {
  if (d.ops.length > l.ops) throw new OtError(Kind.TooLarge, noOp, `has ${d.ops.length} operations, the limit is ${l.ops}`)
  for (const [i, op] of d.ops.entries()) {
    if (op.n > maxLength) throw new OtError(Kind.BadLength, i, `its length is beyond ${maxLength}`)
    if (op.attrs !== null) {
      const bytes = sizeOf(op.attrs)
      if (bytes > l.attributeBytes) throw new OtError(Kind.TooLarge, i, `its attributes take ${bytes} bytes, the limit is ${l.attributeBytes}`)
      const deep = depthOf(op.attrs.json) - 1
      if (deep > l.depth) throw new OtError(Kind.TooDeep, i, `its attributes nest ${deep} deep, the limit is ${l.depth}`)
      if (!l.inherited) checkNames(op.attrs, i)
    }
    if (op.embed !== null) {
      if (op.embed.bytes > l.embedBytes) throw new OtError(Kind.TooLarge, i, `its embed takes ${op.embed.bytes} bytes, the limit is ${l.embedBytes}`)
      const deep = depthOf(op.embed.json)
      if (deep > l.depth) throw new OtError(Kind.TooDeep, i, `its embed nests ${deep} deep, the limit is ${l.depth}`)
    }
  }
  if (l.operationBytes === Infinity) return
  const bytes = bytesOf(d.json())
  if (bytes > l.operationBytes) throw new OtError(Kind.TooLarge, noOp, `takes ${bytes} bytes, the limit is ${l.operationBytes}`)
}

/** checkNames refuses names that are inherited, on whichever level. */
function checkNames(attrs: Attributes, op: number): void {
  const s = new Scanner(attrs.json)
  s.op = op
  s.names = true
  s.object(Infinity)
}

/** depthOf counts how deep the objects and arrays of canonical JSON nest. */
export function depthOf(json: string): number {
  let deepest = 0
  let depth = 0
  let quoted = false
  for (let i = 0; i < json.length; i++) {
    const c = json[i]
    if (c === '"') quoted = !quoted
    else if (quoted) {
      if (c === '\\') i++
    } else if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth)
    else if (c === '}' || c === ']') depth--
  }
  return deepest
}
