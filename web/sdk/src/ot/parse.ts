import { Attributes, sizeOf } from './attributes.ts'
import { Delta } from './delta.ts'
import { Embed } from './embed.ts'
import { Kind, noOp, OtError } from './errors.ts'
import { defaultLimits, maxLength, type Limits } from './limits.ts'
import { make, type Action, type Op } from './op.ts'
import { Scanner } from './scan.ts'
import { bytesOf } from './utf16.ts'

/**
 * parse reads a Delta from JSON: {"ops":[…]}, or the list of operations alone. The operations stay as they came: what is computed from them is in
 * normal form, but errors name them by the indices that their sender knows. Attributes that are {} are none.
 *
 * It is strict: no lone surrogates, escaped or not; each operation has exactly one of insert, retain and delete, and perhaps attributes (not with
 * delete); no other key, none twice; lengths are whole numbers from 1 to maxLength, inserted text isn't empty; an embed is an object that isn't
 * empty, and one that is retained has one key, its type; no attribute has a name that is inherited, and nothing is named __proto__. All of it is
 * within the limits.
 */
export function parse(json: string, limits: Limits = defaultLimits): Delta {
  if (limits.operationBytes !== Infinity) {
    const bytes = bytesOf(json)
    if (bytes > limits.operationBytes) throw new OtError(Kind.TooLarge, noOp, `takes ${bytes} bytes, the limit is ${limits.operationBytes}`)
  }
  const p = new Parser(json, limits)
  p.delta()
  p.end()
  return new Delta(p.ops, false)
}

/** parseAttributes reads attributes from a JSON object whose values nest no deeper than the limits say. */
export function parseAttributes(json: string, limits: Limits = defaultLimits): Attributes | null {
  const s = new Scanner(json)
  s.names = !limits.inherited
  const list = s.object(limits.depth + 1)
  s.end()
  return Attributes.of(list)
}

/** Found is what was read of an operation. */
interface Found {
  actions: number
  action: Action
  n: number
  text: string
  embed: Embed | null
  attrs: Attributes | null
  attributes: boolean
}

class Parser extends Scanner {
  readonly ops: Op[] = []
  readonly #limits: Limits

  constructor(text: string, limits: Limits) {
    super(text)
    this.#limits = limits
  }

  delta(): void {
    if (this.accept('[')) {
      this.#operations()
      return
    }
    this.expect('{', 'a Delta')
    let lists = 0
    this.list('}', () => {
      const key = this.key()
      if (key !== 'ops') throw this.fail(Kind.Malformed, `the key "${key}" is unknown`)
      if (lists++ > 0) throw this.fail(Kind.Malformed, 'the key ops comes twice')
      this.expect('[', 'the operations')
      this.#operations()
    })
    if (lists === 0) throw this.fail(Kind.Malformed, 'has no ops')
  }

  #operations(): void {
    this.list(']', () => {
      this.op = this.ops.length
      if (this.op >= this.#limits.ops) throw this.fail(Kind.TooLarge, `more than ${this.#limits.ops} operations`)
      this.ops.push(this.#operation())
      this.op = noOp
    })
  }

  #operation(): Op {
    const read: Found = { actions: 0, action: 'retain', n: 1, text: '', embed: null, attrs: null, attributes: false }
    this.expect('{', 'an operation')
    this.list('}', () => {
      this.#member(read)
    })
    if (read.actions !== 1) throw this.fail(Kind.Malformed, 'it has to have one of insert, retain and delete, and that once')
    if (read.attributes && read.action === 'delete') throw this.fail(Kind.Malformed, 'a delete has no attributes')
    return make(read.action, read.n, read.text, read.embed, read.attrs)
  }

  /** member reads a key of an operation, and its value. */
  #member(read: Found): void {
    const key = this.key()
    switch (key) {
      case 'insert':
        read.action = key
        read.actions++
        if (this.peek() === '{') {
          read.embed = this.#embed()
          return
        }
        read.text = this.string()
        read.n = read.text.length
        if (read.n === 0) throw this.fail(Kind.BadLength, 'the inserted text is empty')
        return
      case 'retain':
        read.action = key
        read.actions++
        if (this.peek() !== '{') {
          read.n = this.#length()
          return
        }
        read.embed = this.#embed()
        if (read.embed.kind === '') throw this.fail(Kind.Malformed, 'a change of an embed has one key, its type')
        return
      case 'delete':
        read.action = key
        read.actions++
        read.n = this.#length()
        return
      case 'attributes':
        if (read.attributes) throw this.fail(Kind.Malformed, 'the key attributes comes twice')
        read.attributes = true
        read.attrs = this.#attributes()
        return
      default:
        throw this.fail(Kind.Malformed, `the key "${key}" is unknown`)
    }
  }

  #length(): number {
    const n = this.number()
    if (n < 1 || n > maxLength || !Number.isInteger(n)) throw this.fail(Kind.BadLength, `a length is a whole number from 1 to ${maxLength}`)
    return n
  }

  #embed(): Embed {
    const members = this.object(this.#limits.depth)
    if (members.length === 0 || (members.length === 1 && members[0]?.key === '')) throw this.fail(Kind.Malformed, 'an embed has a key, its type')
    const embed = new Embed(members)
    if (embed.bytes > this.#limits.embedBytes) {
      throw this.fail(Kind.TooLarge, `its embed takes ${embed.bytes} bytes, the limit is ${this.#limits.embedBytes}`)
    }
    return embed
  }

  #attributes(): Attributes | null {
    this.names = !this.#limits.inherited
    const attrs = Attributes.of(this.object(this.#limits.depth + 1))
    this.names = false
    const bytes = sizeOf(attrs)
    if (bytes > this.#limits.attributeBytes) throw this.fail(Kind.TooLarge, `its attributes take ${bytes} bytes, the limit is ${this.#limits.attributeBytes}`)
    return attrs
  }
}
