import { plain, type Element as RichElement, type Rich } from './rich.ts'

/** Shown is what differs between places where a message is shown. */
export interface Shown {
  /** What stands for a name as it was typed, "@handle" or "#channel", with a full stop that may be no part of it; undefined: it is text. */
  name(typed: string): Node | undefined
  /** A place within the application, which is gone to in this window. */
  inside?(url: URL): boolean
}

const elements = {
  p: 'p', h1: 'h3', h2: 'h4', h3: 'h5', strong: 'strong', em: 'em', s: 's', code: 'code', blockquote: 'blockquote', ul: 'ul', ol: 'ol', hr: 'hr', br: 'br', tr: 'tr', th: 'th', td: 'td',
} as const

/** dom makes elements of what a message holds, one by one: no text of it is ever read as HTML. */
export function dom(parts: readonly Rich[], shown: Shown): DocumentFragment {
  const all = document.createDocumentFragment()
  for (const part of parts) all.append(typeof part === 'string' ? part : element(part, shown))
  return all
}

function element(e: RichElement, shown: Shown): Node {
  switch (e.tag) {
    case 'name': {
      const typed = plain(e.children)
      return shown.name(typed) ?? document.createTextNode(typed)
    }
    case 'a':
      return anchor(e, shown)
    case 'pre':
      return pre(e)
    case 'table': {
      const table = fill('table', e, shown)
      const frame = document.createElement('div') // scrolls by itself, not the page
      frame.className = 'md-table'
      frame.tabIndex = 0
      frame.append(table)
      return frame
    }
    case 'li':
      return item(e, shown)
    default: {
      const made = fill(elements[e.tag], e, shown)
      if (e.start !== undefined && e.start !== 1) made.setAttribute('start', String(e.start))
      if (e.align) made.className = `md-${e.align}`
      return made
    }
  }
}

function fill(tag: string, e: RichElement, shown: Shown): HTMLElement {
  const made = document.createElement(tag)
  made.append(dom(e.children, shown))
  return made
}

function anchor(e: RichElement, shown: Shown): HTMLElement {
  const a = document.createElement('a')
  a.href = e.href ?? ''
  if (!shown.inside?.(new URL(a.href))) {
    a.target = '_blank'
    a.rel = 'noopener noreferrer nofollow'
  }
  a.append(dom(e.children, shown))
  if (e.host === undefined) return a
  const both = document.createElement('span')
  const host = document.createElement('span')
  host.className = 'md-host'
  host.textContent = ` (${e.host})`
  both.append(a, host)
  return both
}

function pre(e: RichElement): HTMLElement {
  const made = document.createElement('pre')
  const code = document.createElement('code')
  code.textContent = plain(e.children)
  if (e.language) code.dataset['language'] = e.language
  made.tabIndex = 0 // it scrolls
  made.append(code)
  return made
}

function item(e: RichElement, shown: Shown): HTMLElement {
  const li = fill('li', e, shown)
  if (e.done === undefined) return li
  const box = document.createElement('input')
  box.type = 'checkbox'
  box.checked = e.done
  box.disabled = true
  li.className = 'md-task'
  li.prepend(box)
  return li
}
