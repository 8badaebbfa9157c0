import { Builder, Document, earlier, OtError, parse, transform, unlimited, type Delta } from '../src/ot/index.ts'
import { mutationOf } from '../src/doc/state.ts'
import { ServerError } from '../src/errors.ts'
import { type DocumentEvent, type Part, type Submission, type Submitted } from '../src/doc/transport.ts'

export const refusals = {
  'docs.FORBIDDEN': 102,
  'docs.TOO_LARGE': 104,
  'docs.TRASHED': 103,
  'docs.DOCUMENT': 101,
  'docs.DELTA': 100,
  'docs.FUTURE': 100,
  'docs.BASE_TOO_OLD': 103,
  'docs.PAST_END': 100,
} as const

export type Reason = keyof typeof refusals

export const refusal = (reason: Reason) => new ServerError(refusals[reason], reason, `No: ${reason}`)

/** Owner orders the edits of one document, as the document service does. */
export class Owner {
  epoch = 7
  /** Edits of a base below it are refused, and cursors below it reset. */
  floor = 0
  log: DocumentEvent[] = []
  content = Document.of(parse('[]'))
  /** All that is new. */
  refuse: Reason | null = null
  /** Code units in one answer to a read; 0: all. */
  part = 0
  /** What no client may do. */
  readonly faults: string[] = []
  #edits: Delta[] = []
  readonly #answers = new Map<string, Submitted>()
  readonly #bodies = new Map<string, string>()
  #changed: (() => void)[] = []

  constructor(text: string) {
    this.append('ada', 0n, text === '' ? parse('[]') : new Builder().insert(text).delta())
    this.append('ada', 0n, parse('[]'))
  }

  get version(): number {
    return this.log.length
  }

  append(actor: string, mutation: bigint, edit: Delta): void {
    this.content = this.content.apply(edit)
    this.#edits.push(edit)
    this.log.push({ version: this.log.length + 1, mutation, actor, delta: edit.isEmpty ? '' : edit.json() })
    this.tell()
  }

  /** changed resolves when there is something new. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve))
  }

  tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }

  /** submit does what is asked for once for each key. */
  submit(user: string, clientId: string, q: Submission): Submitted {
    const key = `${clientId}/${q.seq}`
    const body = JSON.stringify([q.document, q.epoch, q.base, q.delta])
    if ((this.#bodies.get(key) ?? body) !== body) this.faults.push(`another request under ${key}`)
    this.#bodies.set(key, body)
    const known = this.#answers.get(key)
    if (known !== undefined) return known
    if (this.refuse !== null) throw refusal(this.refuse)
    if (q.epoch !== this.epoch || q.base < this.floor) throw refusal('docs.BASE_TOO_OLD')
    if (q.base > this.version) throw refusal('docs.FUTURE')
    let delta = parse(q.delta)
    try {
      for (const before of this.#edits.slice(q.base)) if (!before.isEmpty) delta = transform(before, delta, earlier)
      this.content.apply(delta)
    } catch (e) {
      if (!(e instanceof OtError)) throw e
      this.faults.push(`an edit that does not fit: ${e.message}`)
      throw refusal('docs.PAST_END')
    }
    const answer = { epoch: this.epoch, version: this.version + 1 }
    this.#answers.set(key, answer)
    this.append(user, mutationOf(clientId, q.seq), delta)
    return answer
  }

  read(version: number, after: number): Part {
    const at = version === 0 ? this.version : version
    const content = this.#edits.slice(0, at).reduce((d, edit) => d.apply(edit), Document.of(parse('[]')))
    let end = this.part === 0 ? content.length : Math.min(content.length, after + this.part)
    if (content.cuts(end)) end++
    const { length } = content
    return { delta: content.slice(after, end).json(), version: at, epoch: this.epoch, length, more: end < length, hash: content.hash() }
  }

  /** rewrite makes the log another one that agrees with what was there up to a version, as a backup does. */
  rewrite(version: number): void {
    this.epoch++
    this.log = this.log.slice(0, version)
    this.#edits = this.#edits.slice(0, version)
    this.content = this.#edits.reduce((d, edit) => d.apply(edit), Document.of(parse('[]', unlimited)))
    for (const [key, answer] of this.#answers) if (answer.version > version) this.#answers.delete(key)
    this.tell()
  }
}
