import { composeAttributes, sizeOf, type Attributes } from './attributes.ts'
import { Builder } from './builder.ts'
import { Delta, depthOf, empty } from './delta.ts'
import { embedOver, noEmbeds, type Embed, type Embeds } from './embed.ts'
import { Kind, noOp, OtError, pastEnd, splitPair } from './errors.ts'
import { inverse } from './invert.ts'
import { unlimited, type Limits } from './limits.ts'
import { isBare, retainOf, type Op } from './op.ts'
import { sha256 } from './sha256.ts'
import { blank, cuts, edited, planted, walk, type Edit, type Node } from './tree.ts'

/**
 * Document is a text with attributes and embeds. It never changes: an edit makes another one, which shares with it all that did not change, so that
 * an edit costs the logarithm of the length, wherever it is, and versions side by side cost little.
 */
export class Document {
  readonly #root: Node
  readonly #limits: Limits
  readonly #embeds: Embeds

  private constructor(root: Node, limits: Limits, embeds: Embeds) {
    this.#root = root
    this.#limits = limits
    this.#embeds = embeds
  }

  /** of makes a document of its content, a Delta of inserts only, within the limits. */
  static of(content: Delta, limits: Limits = unlimited, embeds: Embeds = noEmbeds): Document {
    for (const [i, op] of content.ops.entries()) {
      if (op.action !== 'insert') throw new OtError(Kind.NotDocument, i, 'a document has inserts only')
    }
    return new Document(blank, limits, embeds).#grown(planted(content.ops))
  }

  /** within is the same document under other limits for what comes. */
  within(limits: Limits): Document {
    return new Document(this.#root, limits, this.#embeds)
  }

  /** length in UTF-16 code units. */
  get length(): number {
    return this.#root.units
  }

  /** embeds is how many there are. */
  get embeds(): number {
    return this.#root.embeds
  }

  /** cuts reports that a place, in UTF-16 code units, is within a surrogate pair. */
  cuts(at: number): boolean {
    return cuts(this.#root, at)
  }

  /**
   * apply is the document after a change, as compose has it. It throws PastEnd, SplitPair, DocumentFull, TooLarge (attributes or an embed that grew
   * by composition), TooDeep, EmbedMismatch, NoHandler or HandlerFailed.
   */
  apply(change: Delta): Document {
    let root = this.#root
    let at = 0
    for (const [i, op] of change.ops.entries()) {
      if (op.action === 'insert') {
        root = root === blank ? planted([op]) : edited(root, at, at, { ...nothing, insert: [op] })
        at += op.n
        continue
      }
      const end = at + op.n
      if (end > root.units) throw pastEnd(i)
      if (cuts(root, end)) throw splitPair(i)
      if (op.action === 'delete') {
        root = edited(root, at, end, nothing)
        continue
      }
      if (!isBare(op)) root = edited(root, at, end, this.#painting(root, at, end, op, i))
      at = end
    }
    return this.#grown(root)
  }

  /** check throws what apply would. */
  check(change: Delta): void {
    this.apply(change)
  }

  #painting(root: Node, from: number, to: number, op: Op, i: number): Edit {
    if (op.attrs !== null) this.#checkFormat(root, from, to, op.attrs, i)
    let embed: Embed | null = null
    if (op.embed !== null) {
      let there: Embed | null = null
      walk(root, from, from + 1, (run) => {
        there = run.embed
        return false
      })
      embed = embedOver(this.#embeds, there, op.embed, false, i)
      if (embed.bytes > this.#limits.embedBytes) {
        throw new OtError(Kind.TooLarge, i, `the embed would take ${embed.bytes} bytes, the limit is ${this.#limits.embedBytes}`)
      }
      const deep = depthOf(embed.json)
      if (deep > this.#limits.depth) throw new OtError(Kind.TooDeep, i, `the embed would nest ${deep} deep, the limit is ${this.#limits.depth}`)
    }
    return { keep: true, attrs: op.attrs, embed, insert: [] }
  }

  #checkFormat(root: Node, from: number, to: number, attrs: Attributes, i: number): void {
    const limit = this.#limits.attributeBytes
    if (limit === Infinity) return
    walk(root, from, to, (run) => {
      const bytes = sizeOf(composeAttributes(run.attrs, attrs, false))
      if (bytes > limit) throw new OtError(Kind.TooLarge, i, `the attributes there would take ${bytes} bytes, the limit is ${limit}`)
      return true
    })
  }

  /** grown holds the document to its limits. One that is over them, since they were lowered, can still be made smaller. */
  #grown(root: Node): Document {
    const l = this.#limits
    const before = this.#root
    if (root.units > before.units && root.units > l.documentUnits) {
      throw new OtError(Kind.DocumentFull, noOp, `would make the document ${root.units} long, the limit is ${l.documentUnits}`)
    }
    if (root.embeds > before.embeds && root.embeds > l.embeds) {
      throw new OtError(Kind.DocumentFull, noOp, `would make the document have ${root.embeds} embeds, the limit is ${l.embeds}`)
    }
    if (root.format > before.format && root.format > l.documentFormat) {
      throw new OtError(Kind.DocumentFull, noOp, `would make the document's attributes take ${root.format} bytes, the limit is ${l.documentFormat}`)
    }
    return new Document(root, l, this.#embeds)
  }

  /** delta is the whole content, in normal form. */
  delta(): Delta {
    return this.#ops(0, this.length)
  }

  /** slice is what lies between two places, in UTF-16 code units, in normal form; what is beyond the end is not there. It throws SplitPair. */
  slice(start: number, end = Infinity): Delta {
    start = Math.max(start, 0)
    end = Math.min(end, this.length)
    if (start >= end) return empty
    if (this.cuts(start) || this.cuts(end)) throw splitPair(noOp)
    return this.#ops(start, end)
  }

  #ops(from: number, to: number): Delta {
    const b = new Builder()
    walk(this.#root, from, to, (run) => {
      b.push(run)
      return true
    })
    return b.delta()
  }

  /** invert is what takes a change back once it was applied to the document as it is now. It throws as invert of Deltas does. */
  invert(change: Delta): Delta {
    let at = 0
    return inverse(change, this.#embeds, (i, n) => {
      const from = at
      at += n
      if (at > this.length) throw pastEnd(i)
      if (this.cuts(at)) throw splitPair(i)
      if (isBare(change.ops[i] as Op)) return [retainOf(n, null)]
      return [...this.#ops(from, at).ops]
    })
  }

  /** text is all text of the document; embeds are left out. */
  text(): string {
    let out = ''
    walk(this.#root, 0, this.length, (run) => {
      out += run.text
      return true
    })
    return out
  }

  /** json is the whole content as canonical JSON, as Delta has it. */
  json(): string {
    return this.delta().json()
  }

  /** hash is the SHA-256 of the canonical JSON: the same for the same content, whatever edits led to it. */
  hash(): Uint8Array {
    return sha256(this.json())
  }
}

const nothing: Edit = { keep: false, attrs: null, embed: null, insert: [] }
