'use strict'
// Answers questions about Deltas with quill-delta itself: one JSON object a line on stdin, one answer a line on stdout, in order.
const Delta = require('quill-delta')
const { AttributeMap, Op } = Delta
const { createHash } = require('node:crypto')

const delta = (d) => new Delta(d)

// Embeds of type note hold a document, and their changes are Deltas.
Delta.registerEmbed('note', {
  compose: (a, b) => ({ ops: delta(a).compose(delta(b)).ops }),
  invert: (a, b) => ({ ops: delta(a).invert(delta(b)).ops }),
  transform: (a, b, priority) => ({ ops: delta(a).transform(delta(b), priority).ops }),
})

// Canonical JSON: the keys of every object sorted, as Document.Hash wants it.
function canonical(v) {
  if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`
  if (v === null || typeof v !== 'object') return JSON.stringify(v)
  return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(',')}}`
}

// follow takes a suggestion over an edit, by PROTOCOL.md §11a; null: it is gone.
function follow(s, e) {
  const deleted = [] // by e, as ranges of the content before
  let at = 0
  for (const op of e.ops) {
    if (op.insert !== undefined) continue
    const from = at
    at += Op.length(op)
    if (op.delete === undefined) continue
    if (deleted.length > 0 && deleted.at(-1)[1] === from) deleted.at(-1)[1] = at
    else deleted.push([from, at])
  }
  const bare = (op) => typeof op.retain === 'number' && op.attributes === undefined
  const touches = (op) => op.insert === undefined && !bare(op)
  const left = new Delta()
  let lost = false
  at = 0
  for (let i = 0; i < s.ops.length;) {
    if (bare(s.ops[i])) {
      left.push(s.ops[i])
      at += s.ops[i++].retain
      continue
    }
    const place = []
    const from = at
    for (; i < s.ops.length && !bare(s.ops[i]); i++) {
      place.push(s.ops[i])
      if (touches(s.ops[i])) at += Op.length(s.ops[i])
    }
    const goes = deleted.some(([a, b]) => from < at ? a <= from && at <= b : a < from && from < b)
    if (goes) {
      left.retain(at - from)
      lost ||= from < at
    } else place.forEach((op) => left.push(op))
  }
  const after = e.transform(left, true)
  const gone = after.ops.length === 0 || lost && !after.ops.some(touches) || Buffer.byteLength(canonical({ ops: after.ops })) > 131072
  return gone ? null : after
}

const answers = {
  compose: ({ a, b }) => delta(a).compose(delta(b)),
  transform: ({ a, b, priority }) => delta(a).transform(delta(b), priority),
  position: ({ a, at, priority }) => delta(a).transform(at, priority),
  invert: ({ a, b }) => delta(a).invert(delta(b)),
  diff: ({ a, b }) => delta(a).diff(delta(b)),
  slice: ({ a, from, to }) => delta(a).slice(from, to),
  concat: ({ a, b }) => delta(a).concat(delta(b)),
  push: ({ a }) => a.ops.reduce((d, op) => d.push(op), new Delta()),
  length: ({ a }) => delta(a).length(),
  changeLength: ({ a }) => delta(a).changeLength(),
  attributesCompose: ({ x, y, keepNull }) => AttributeMap.compose(x, y, keepNull),
  attributesDiff: ({ x, y }) => AttributeMap.diff(x, y),
  attributesInvert: ({ x, y }) => AttributeMap.invert(x, y),
  attributesTransform: ({ x, y, priority }) => AttributeMap.transform(x, y, priority),
  hash: ({ a }) => createHash('sha256').update(canonical({ ops: a.ops })).digest('hex'),

  inherited: () => Object.getOwnPropertyNames(Object.prototype).sort(),

  // A server: each change comes with the number of changes that its author knew, and goes over all others.
  session: ({ a, changes }) => {
    let document = delta(a)
    const log = []
    for (const { known, change } of changes) {
      const rebased = log.slice(known).reduce((d, earlier) => earlier.transform(d, true), delta(change))
      log.push(rebased)
      document = document.compose(rebased)
    }
    return { ops: document.ops, hash: createHash('sha256').update(canonical({ ops: document.ops })).digest('hex') }
  },

  // A client that knows a suggestion and follows the log: what it is behind each edit.
  suggestion: ({ a, edits }) => {
    let s = delta(a)
    return edits.map((e) => { s = s && follow(s, delta(e)); return s && canonical({ ops: s.ops }) })
  },
}

let input = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (chunk) => { input += chunk })
process.stdin.on('end', () => {
  const out = []
  for (const line of input.split('\n')) {
    if (line === '') continue
    const question = JSON.parse(line)
    try {
      out.push(JSON.stringify({ answer: answers[question.f](question) ?? null }))
    } catch (e) {
      out.push(JSON.stringify({ error: String(e.message) }))
    }
  }
  process.stdout.write(out.join('\n') + '\n')
})
