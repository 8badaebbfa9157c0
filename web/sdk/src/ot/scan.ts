import { inherited, writeObject, type Member } from './attributes.ts'
import { Kind, noOp, OtError } from './errors.ts'

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

/**
 * Scanner reads strict JSON (RFC 8259). Unlike JSON.parse it refuses lone surrogates and a key that comes twice, keeps keys that look like array
 * indices in their place, and gives values in canonical form.
 */
export class Scanner {
  readonly #text: string
  #pos = 0
  /** Index of the operation that is read, for errors. */
  op = noOp
  /** Keys are names of attributes, and none that is inherited is one. */
  names = false

  constructor(text: string) {
    this.#text = text
  }

  fail(kind: Kind, text: string): OtError {
    return new OtError(kind, this.op, text)
  }

  /** peek skips white space and returns the next character, '' at the end. */
  peek(): string {
    for (; this.#pos < this.#text.length; this.#pos++) {
      const c = this.#text.charAt(this.#pos)
      if (c !== ' ' && c !== '\t' && c !== '\n' && c !== '\r') return c
    }
    return ''
  }

  /** accept takes the next character if it is c. */
  accept(c: string): boolean {
    if (this.peek() !== c) return false
    this.#pos++
    return true
  }

  expect(c: string, where: string): void {
    if (!this.accept(c)) throw this.fail(Kind.Malformed, `${where}: wants ${c} at ${this.#pos}`)
  }

  /** end makes sure that nothing follows. */
  end(): void {
    if (this.peek() !== '') throw this.fail(Kind.Malformed, `something follows at ${this.#pos}`)
  }

  /** list reads what stands between '[' or '{', which was taken, and its end, with a call for each element. */
  list(end: string, each: () => void): void {
    if (this.accept(end)) return
    do each()
    while (this.accept(','))
    this.expect(end, 'a list')
  }

  /** key reads a key of an object and its colon. */
  key(): string {
    const key = this.string()
    this.expect(':', 'a key')
    return key
  }

  /** string reads a string. */
  string(): string {
    this.expect('"', 'a string')
    const text = this.#text
    const from = this.#pos
    let out = ''
    let raw = from // where what was read and is not in out begins
    for (; this.#pos < text.length; this.#pos++) {
      const c = text.charCodeAt(this.#pos)
      if (c === 0x22) {
        out += text.slice(raw, this.#pos++)
        if (!out.isWellFormed()) throw this.fail(Kind.BadText, `a lone surrogate in the string at ${from}`)
        return out
      }
      if (c < 0x20) throw this.fail(Kind.Malformed, `a control character in the string at ${from}`)
      if (c === 0x5c) {
        out += text.slice(raw, this.#pos) + this.#escape()
        raw = this.#pos + 1
      }
    }
    throw this.fail(Kind.Malformed, `the string at ${from} has no end`)
  }

  /** escape reads an escape, both of a surrogate pair, and stays at its last character. */
  #escape(): string {
    const at = this.#pos++
    const c = this.#text.charAt(this.#pos)
    const plain = escapes[c]
    if (plain !== undefined) return plain
    const unit = c === 'u' ? this.#hex() : -1
    if (unit < 0) throw this.fail(Kind.Malformed, `an unknown escape at ${at}`)
    if ((unit & 0xf800) !== 0xd800) return String.fromCharCode(unit)
    if (unit < 0xdc00 && this.#text.startsWith('\\u', this.#pos + 1)) {
      this.#pos += 2
      const low = this.#hex()
      if (low >= 0xdc00 && low < 0xe000) return String.fromCharCode(unit, low)
    }
    throw this.fail(Kind.BadText, `a lone surrogate at ${at}`)
  }

  /** hex reads "u" and four digits, and stays at the last; -1: they are none. */
  #hex(): number {
    const digits = this.#text.slice(this.#pos + 1, this.#pos + 5)
    this.#pos += 4
    return /^[0-9a-fA-F]{4}$/.test(digits) ? parseInt(digits, 16) : -1
  }

  /** number reads a number that a double can hold: what is beyond its range is refused, what is beyond its precision is rounded. */
  number(): number {
    this.peek()
    const from = this.#pos
    while ('+-.eE0123456789'.includes(this.#text.charAt(this.#pos)) && this.#pos < this.#text.length) this.#pos++
    const literal = this.#text.slice(from, this.#pos)
    if (!number.test(literal)) throw this.fail(Kind.Malformed, `wants a value at ${from}`)
    const value = Number(literal)
    if (!Number.isFinite(value)) throw this.fail(Kind.Malformed, `the number at ${from} is out of range`)
    return value
  }

  /** value reads any value and gives it in canonical form; depth is how deep it may nest. */
  value(depth: number): string {
    const c = this.peek()
    switch (c) {
      case '{':
        return writeObject(this.object(depth))
      case '[':
        return this.#array(depth)
      case '"':
        return JSON.stringify(this.string())
      case 't':
      case 'f':
      case 'n':
        for (const word of ['true', 'false', 'null']) {
          if (this.#text.startsWith(word, this.#pos)) {
            this.#pos += word.length
            return word
          }
        }
        throw this.fail(Kind.Malformed, `wants a value at ${this.#pos}`)
      default:
        return JSON.stringify(this.number()) // which has no -0
    }
  }

  #array(depth: number): string {
    if (depth <= 0) throw this.fail(Kind.TooDeep, `nests deeper than the limit at ${this.#pos}`)
    this.#pos++
    const out: string[] = []
    this.list(']', () => out.push(this.value(depth - 1)))
    return `[${out.join(',')}]`
  }

  /** object reads an object; its members come sorted. */
  object(depth: number): Member[] {
    if (depth <= 0) throw this.fail(Kind.TooDeep, `nests deeper than the limit at ${this.#pos}`)
    this.expect('{', 'an object')
    const members: Member[] = []
    this.list('}', () => {
      const key = this.key()
      if (key === '__proto__' || (this.names && inherited.has(key))) throw this.fail(Kind.Malformed, `the key ${key} can't be used`) // the first is lost anywhere
      members.push({ key, value: this.value(depth - 1) })
    })
    members.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    for (const [i, m] of members.entries()) {
      if (i > 0 && m.key === members[i - 1]?.key) throw this.fail(Kind.Malformed, `the key "${m.key}" comes twice`)
    }
    return members
  }
}
