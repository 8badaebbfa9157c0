import {
  check,
  compose,
  composeAll,
  concat,
  diff,
  Document,
  hex,
  invert,
  normalised,
  OtError,
  parse,
  rebase,
  slice,
  transform,
  transformPosition,
  unlimited,
  type Delta,
  type EmbedHandler,
  type Embeds,
  type Kind,
  type Limits,
} from '../src/ot/index.ts'

/** Question is one to the engine, and its answer, as client/doc/engine_test.go has them. Keys stand in this order. */
export interface Question {
  f: string
  a?: string
  b?: string
  list?: string[]
  priority?: boolean
  at?: number
  to?: number
  effort?: number

  want?: string
  after?: string[]
  ints?: number[]
  fails?: { kind: Kind; op: number }
}

/** small are limits that short cases reach. */
const small: Limits = {
  operationBytes: 600,
  ops: 8,
  documentUnits: 40,
  embeds: 3,
  embedBytes: 60,
  attributeBytes: 50,
  documentFormat: 2 ** 20,
  depth: 3,
  inherited: false,
}

/** note changes embeds of type "note", whose data is a document and whose changes are Deltas. */
const note: EmbedHandler = {
  compose: (a, b) => compose(parse(a), parse(b)).json(),
  invert: (op, base) => invert(parse(op), parse(base)).json(),
  transform: (a, b, priority) => transform(parse(a), parse(b), priority).json(),
}

export const embeds: Embeds = new Map([['note', note]])

/** answered asks the engine, and is the question with the answer, whatever it had before, without what is empty. */
export function answered(q: Question): Question {
  const { f, a = '', b = '', list = [], priority = false, at = 0, to = 0, effort = 0 } = q
  const asked = { f, a, b, list, priority, at, to, effort }
  try {
    return brief({ ...asked, ...ask(asked) })
  } catch (e) {
    if (!(e instanceof OtError)) throw e
    return brief({ ...asked, fails: { kind: e.kind, op: e.op } })
  }
}

/** brief leaves out what Go's omitempty leaves out. */
export const brief = <T extends object>(o: T): T =>
  Object.fromEntries(
    Object.entries(o).filter(([, v]) => v !== '' && v !== 0 && v !== false && v !== undefined && v !== null && !(Array.isArray(v) && v.length === 0)),
  ) as T

function ask(q: Required<Omit<Question, 'want' | 'after' | 'ints' | 'fails'>>): Pick<Question, 'want' | 'after' | 'ints'> {
  const limits = q.f === 'parse' || q.f === 'limits' ? small : unlimited
  const a = parse(q.a, limits)
  if (q.f === 'parse') return { want: a.json() }
  const b = parse(q.b === '' ? '[]' : q.b, unlimited)
  const list = q.list.map((text) => parse(text, unlimited))
  switch (q.f) {
    case 'compose':
      return { want: compose(a, b, embeds).json() }
    case 'composeAll':
      return { want: composeAll(list, embeds).json() }
    case 'transform':
      return { want: transform(a, b, q.priority, embeds).json() }
    case 'invert':
      return { want: invert(a, b, embeds).json() }
    case 'rebase': {
      const { change, after } = rebase(a, list, embeds)
      return { want: change.json(), after: after.map((d) => d.json()) }
    }
    case 'diff':
      return { want: diff(a, b, q.effort).json() }
    case 'slice':
      return { want: slice(a, q.at, q.to).json() }
    case 'concat':
      return { want: concat(a, b).json() }
    case 'normal':
      return { want: normalised(a).json() }
    case 'position':
      return { ints: [transformPosition(a, q.at, q.priority)] }
    case 'length':
      return { ints: [a.length, a.changeLength, a.baseLength] }
    case 'apply':
    case 'limits':
      return applied(q.f, a, list, limits, q.at, q.to)
    default:
      throw new Error(`unknown question ${q.f}`)
  }
}

/** applied has a document go through changes, and asks all that a document can tell of itself. */
function applied(f: string, content: Delta, changes: Delta[], limits: Limits, from: number, to: number): Pick<Question, 'want' | 'after' | 'ints'> {
  let d = Document.of(content, limits, embeds)
  const after: string[] = []
  for (const change of changes) {
    if (f === 'limits') check(change, limits)
    const back = d.invert(change)
    d = d.apply(change)
    after.push(back.json())
  }
  after.push(d.json(), d.slice(from, to).json())
  return { want: hex(d.hash()), after, ints: [d.length, d.embeds] }
}
