import type { Nodes, Root } from './parse.ts'
import { destination } from './link.ts'

/** Rich is what a message may hold: a tree of elements from a short list, and text. No part of it was ever HTML. */
export type Rich = string | Element

export interface Element {
  readonly tag: Tag
  readonly children: readonly Rich[]
  /** Of `a`: where it leads, of http, https or mailto. */
  readonly href?: string
  /** Of `a`: the host that it leads to, where its text looks as if it were another one's. */
  readonly host?: string
  /** Of `pre`: the language that was named. */
  readonly language?: string
  /** Of `ol`: its first number. */
  readonly start?: number
  /** Of `td` and `th`. */
  readonly align?: 'center' | 'end'
  /** Of `li`: it is a task, and whether it is done. */
  readonly done?: boolean
}

export type Tag =
  | 'p' | 'h1' | 'h2' | 'h3' | 'strong' | 'em' | 's' | 'code' | 'pre' | 'blockquote' | 'ul' | 'ol' | 'li' | 'hr' | 'br' | 'a'
  /** What may name somebody, or a channel: "@handle" or "#name" as it was typed. Whether it does depends on who wrote it and who reads it. */
  | 'table' | 'tr' | 'th' | 'td' | 'name'

/** deepest is how deep elements may stand in each other: what is deeper is shown as text. */
const deepest = 24

/**
 * Where the service looks for handles, too (mesh/markdown): behind what is no part of a word or an address, to the last letter or digit. And where channels'
 * names are: of any script, with a full stop at their end, for all that is known here. What is not seen is no part of one.
 */
const name = /(?<![\p{L}\p{Nd}@/\\.\-+=&?:])@[\p{L}\p{Nd}._-]*[\p{L}\p{Nd}]|(?<![\p{L}\p{M}\p{Nd}_@#/\\.\-+=&?:])#[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]*/gu

/**
 * rich makes of Markdown's tree, and the text that it was read from, what is shown of it. HTML in it is text; images are links, for nobody's server shall learn
 * who reads a message.
 */
export function rich(root: Root, text: string): Rich[] {
  return root.children.flatMap((node) => one(node, 0, text))
}

function one(node: Nodes, depth: number, text: string): Rich[] {
  if (depth > deepest) return [textOf(node)]
  const inside = (): Rich[] => ('children' in node ? node.children.flatMap((child) => one(child, depth + 1, text)) : [])
  switch (node.type) {
    case 'text':
      return names(node.value)
    case 'html':
      return [node.value]
    case 'paragraph':
      return [{ tag: 'p', children: inside() }]
    case 'heading':
      return [{ tag: node.depth === 1 ? 'h1' : node.depth === 2 ? 'h2' : 'h3', children: inside() }]
    case 'strong':
      return [{ tag: 'strong', children: inside() }]
    case 'emphasis':
      return [{ tag: 'em', children: inside() }]
    case 'delete':
      return [{ tag: 's', children: inside() }]
    case 'inlineCode':
      return [{ tag: 'code', children: [node.value] }]
    case 'code':
      return [{ tag: 'pre', children: [node.value], ...(node.lang ? { language: node.lang } : {}) }]
    case 'blockquote':
      return [{ tag: 'blockquote', children: inside() }]
    case 'list':
      return [node.ordered ? { tag: 'ol', start: node.start ?? 1, children: inside() } : { tag: 'ul', children: inside() }]
    case 'listItem':
      return [{ tag: 'li', children: inside(), ...(typeof node.checked === 'boolean' ? { done: node.checked } : {}) }]
    case 'thematicBreak':
      return [{ tag: 'hr', children: [] }]
    case 'break':
      return [{ tag: 'br', children: [] }]
    case 'link':
      return link(node.url, inside())
    case 'image':
      return link(node.url, [node.alt ?? node.url])
    case 'table':
      return [{ tag: 'table', children: node.children.map((row, i) => tableRow(row.children, i === 0, node.align ?? [], depth, text)) }]
    case 'definition': // who writes a message names no links at its end: show what they typed
      return [{ tag: 'p', children: [typed(node, text)] }]
    case 'linkReference':
    case 'imageReference':
    case 'footnoteReference':
      return [typed(node, text)]
    default: // what a later parser may find
      return inside()
  }
}

function tableRow(cells: readonly Nodes[], head: boolean, align: readonly (string | null)[], depth: number, text: string): Element {
  return {
    tag: 'tr',
    children: cells.map((cell, i) => ({
      tag: head ? 'th' : 'td',
      children: 'children' in cell ? cell.children.flatMap((child) => one(child, depth + 2, text)) : [],
      ...(align[i] === 'center' ? { align: 'center' as const } : align[i] === 'right' ? { align: 'end' as const } : {}),
    })),
  }
}

/** link leads somewhere, unless it could do something instead: then it is its text. */
function link(url: string, children: Rich[]): Rich[] {
  const to = destination(url, plain(children))
  return to ? [{ tag: 'a', children: asTyped(children), ...to }] : children
}

/** asTyped names nobody: a person may be called as if they were another host, and who looks at a link's text for where it leads reads what was typed. */
function asTyped(parts: readonly Rich[]): Rich[] {
  return parts.map((part) => (typeof part === 'string' ? part : part.tag === 'name' ? plain(part.children) : { ...part, children: asTyped(part.children) }))
}

function names(text: string): Rich[] {
  const parts: Rich[] = []
  let from = 0
  for (const found of text.matchAll(name)) {
    if (found.index > from) parts.push(text.slice(from, found.index))
    parts.push({ tag: 'name', children: [found[0]] })
    from = found.index + found[0].length
  }
  if (from < text.length) parts.push(text.slice(from))
  return parts
}

function typed({ position }: Nodes, text: string): string {
  return text.slice(position?.start.offset, position?.end.offset)
}

/** textOf is a node's text. */
function textOf(node: Nodes): string {
  if ('children' in node) return node.children.map((child) => textOf(child)).join('')
  return 'value' in node ? node.value : 'alt' in node ? (node.alt ?? '') : ''
}

/** isSeen says whether there is anything to see: "#" alone is a heading of nothing. */
export function isSeen(part: Rich): boolean {
  return typeof part === 'string' ? part.trim() !== '' : part.tag === 'hr' || part.children.some(isSeen)
}

/** plain is the text of what is shown: for notifications, and for readers' tools. */
export function plain(parts: readonly Rich[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : plain(part.children) + (blocks.has(part.tag) ? '\n' : part.tag === 'th' || part.tag === 'td' ? ' ' : ''))).join('')
}

const blocks = new Set<Tag>(['p', 'h1', 'h2', 'h3', 'pre', 'blockquote', 'li', 'hr', 'br', 'tr'])
