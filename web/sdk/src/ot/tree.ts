import { composeAttributes, sizeOf, type Attributes } from './attributes.ts'
import type { Embed } from './embed.ts'
import { insertOf, joined, withAttributes, withEmbed, type Op } from './op.ts'
import { cutsPair } from './utf16.ts'

// A document is a B-tree whose leaves hold runs: inserts, none of which joins the next. Nothing in it ever changes: an edit makes the nodes on the way
// to it anew, and shares all others with the document before.

/** How large nodes become. What is divided fills two thirds, so that what follows finds room. */
export const maxUnits = 1024 // of a leaf
export const maxRuns = 32 // of a leaf
export const maxKids = 16 // of an inner node

/** Node is a leaf, with runs, or an inner node, with kids. All leaves are at the same depth. */
export interface Node {
  readonly runs: readonly Op[]
  readonly kids: readonly Node[]
  readonly units: number
  readonly embeds: number
  /** Bytes of all runs' attributes. */
  readonly format: number
}

/** leaf makes a leaf. */
function leaf(runs: readonly Op[]): Node {
  let units = 0
  let embeds = 0
  let format = 0
  for (const run of runs) {
    units += run.n
    if (run.embed !== null) embeds++
    format += sizeOf(run.attrs)
  }
  return { runs, kids: noKids, units, embeds, format }
}

const noKids: readonly Node[] = []
const noRuns: readonly Op[] = []

/** blank is the tree of an empty document. */
export const blank: Node = leaf(noRuns)

function inner(kids: readonly Node[]): Node {
  let units = 0
  let embeds = 0
  let format = 0
  for (const kid of kids) {
    units += kid.units
    embeds += kid.embeds
    format += kid.format
  }
  return { runs: noRuns, kids, units, embeds, format }
}

/** Runs collects runs, and joins those that are one. */
class Runs {
  readonly list: Op[] = []

  push(run: Op): void {
    const last = this.list.length - 1
    const before = this.list[last]
    const both = before === undefined ? null : joined(before, run)
    if (both === null) this.list.push(run)
    else this.list[last] = both
  }
}

/** leaves puts runs into leaves: one if they fit, else some that are about equally full. */
function leaves(runs: readonly Op[]): Node[] {
  const total = runs.reduce((n, run) => n + run.n, 0)
  if (total === 0) return []
  if (total <= maxUnits && runs.length <= maxRuns) return [leaf(runs)]
  const parts = Math.max(Math.ceil((total * 3) / (maxUnits * 2)), Math.ceil((runs.length * 3) / (maxRuns * 2)))
  const size = Math.ceil(total / parts)
  const count = Math.ceil(runs.length / parts) + 1
  const out: Node[] = []
  let part: Op[] = []
  let room = size
  const close = () => {
    if (part.length > 0) out.push(leaf(part))
    part = []
    room = size
  }
  for (let run of runs) {
    while (run.n > room && run.embed === null) {
      let at = room
      if (cutsPair(run.text, at)) at++
      if (at >= run.n) break
      part.push(insertOf(run.text.slice(0, at), run.attrs))
      run = insertOf(run.text.slice(at), run.attrs)
      close()
    }
    part.push(run)
    room -= run.n
    if (room <= 0 || part.length >= count) close()
  }
  close()
  return out
}

/** grouped puts nodes of one height under parents, as few as there need to be. */
function grouped(kids: readonly Node[]): Node[] {
  const parents = Math.ceil(kids.length / maxKids)
  const out: Node[] = []
  for (let i = 0; i < parents; i++) {
    out.push(inner(kids.slice(Math.floor((i * kids.length) / parents), Math.floor(((i + 1) * kids.length) / parents))))
  }
  return out
}

/** rooted is the tree above nodes of one height. */
export function rooted(nodes: Node[]): Node {
  while (nodes.length > 1) nodes = grouped(nodes)
  let root = nodes[0] ?? blank
  while (root.kids.length === 1) root = root.kids[0] as Node
  return root
}

/** planted is the tree of a whole content. */
export function planted(runs: readonly Op[]): Node {
  const all = new Runs()
  for (const run of runs) all.push(run)
  return rooted(leaves(all.list))
}

/** Edit says what becomes of the runs in a range: other formats, another embed, or nothing; then what is put in its place. */
export interface Edit {
  readonly keep: boolean
  readonly attrs: Attributes | null
  readonly embed: Embed | null
  readonly insert: readonly Op[]
}

/** edited is a tree with a range of it changed. The range has to lie in it and to cut no pair. */
export const edited = (root: Node, from: number, to: number, edit: Edit): Node => rooted(replaced(root, from, to, edit))

/** replaced is what stands in place of a node after an edit, at the same height. */
function replaced(node: Node, from: number, to: number, edit: Edit): Node[] {
  if (node.kids.length === 0) return leaves(replacedRuns(node.runs, from, to, edit))
  const kids: Node[] = []
  let seam = -1 // where the kids that were made anew begin
  let inserted = edit.insert.length === 0
  for (const kid of node.kids) {
    const start = from
    const end = to
    from -= kid.units
    to -= kid.units
    // A place at the border of two belongs to the left one: typing goes on where it was.
    const here = start < kid.units || (start === kid.units && !inserted)
    if (end < 0 || (end === 0 && inserted) || !here) {
      kids.push(kid)
      continue
    }
    if (seam < 0) seam = kids.length
    if (!edit.keep && inserted && start <= 0 && end >= kid.units) continue
    const part = inserted ? { ...edit, insert: noRuns } : edit
    inserted = true
    kids.push(...replaced(kid, Math.max(start, 0), Math.min(end, kid.units), part))
  }
  return grouped(united(kids, Math.max(seam - 1, 0)))
}

/** united makes one of neighbours that are small together, from a place on. */
function united(kids: Node[], from: number): Node[] {
  const out = kids.slice(0, from)
  for (let i = from; i < kids.length; i++) {
    const kid = kids[i] as Node
    const before = out.at(-1)
    const both = before === undefined || i === from ? null : unite(before, kid)
    if (both === null) out.push(kid)
    else out[out.length - 1] = both
  }
  return out
}

function unite(a: Node, b: Node): Node | null {
  if (a.kids.length > 0) return a.kids.length + b.kids.length > maxKids / 2 ? null : inner([...a.kids, ...b.kids])
  if (a.units + b.units > maxUnits / 2 || a.runs.length + b.runs.length > maxRuns / 2) return null
  const runs = new Runs()
  for (const run of a.runs) runs.push(run)
  for (const run of b.runs) runs.push(run)
  return leaf(runs.list)
}

/** replacedRuns is what becomes of a leaf's runs. */
function replacedRuns(runs: readonly Op[], from: number, to: number, edit: Edit): readonly Op[] {
  const out = new Runs()
  let inserted = edit.insert.length === 0
  const insert = () => {
    if (!inserted) for (const run of edit.insert) out.push(run)
    inserted = true
  }
  for (const run of runs) {
    const start = Math.min(Math.max(from, 0), run.n)
    const end = Math.min(Math.max(to, 0), run.n)
    from -= run.n
    to -= run.n
    if (start > 0) out.push(part(run, 0, start))
    if (start < run.n) {
      insert()
      if (edit.keep && start < end) out.push(changed(part(run, start, end), edit))
      if (end < run.n) out.push(part(run, end, run.n))
    }
  }
  insert()
  return out.list
}

/** part is a part of a run. */
export function part(run: Op, from: number, to: number): Op {
  return from === 0 && to === run.n ? run : insertOf(run.text.slice(from, to), run.attrs)
}

function changed(run: Op, edit: Edit): Op {
  const op = withAttributes(run, composeAttributes(run.attrs, edit.attrs, false))
  return edit.embed === null ? op : withEmbed(op, edit.embed)
}

/** walk visits the runs between two places, in parts where they are cut. It ends when visit returns false, and then returns false. */
export function walk(node: Node, from: number, to: number, visit: (run: Op) => boolean): boolean {
  for (const kid of node.kids) {
    if (to <= 0) return true
    if (from < kid.units && !walk(kid, from, to, visit)) return false
    from -= kid.units
    to -= kid.units
  }
  for (const run of node.runs) {
    if (to <= 0) return true
    if (from < run.n && !visit(part(run, Math.max(from, 0), Math.min(to, run.n)))) return false
    from -= run.n
    to -= run.n
  }
  return true
}

/** cuts reports that a place is within a surrogate pair. */
export function cuts(node: Node, at: number): boolean {
  if (at <= 0 || at >= node.units) return false
  while (node.kids.length > 0) {
    for (const kid of node.kids) {
      if (at < kid.units) {
        node = kid
        break
      }
      at -= kid.units
    }
  }
  for (const run of node.runs) {
    if (at < run.n) return cutsPair(run.text, at)
    at -= run.n
  }
  return false
}
