/** Where the page is: the browser's history. */
import { batch, createSignal, onCleanup, type Accessor } from 'solid-js'

export interface Router {
  readonly path: Accessor<string>
  /** What stands behind the path, without "?". */
  readonly query: Accessor<string>
  go(path: string, options?: { readonly replace?: boolean }): void
}

/** createRouter follows the history, and takes over clicks on links into the application that don't ask for a window of their own. */
export function createRouter(): Router {
  const [path, setPath] = createSignal(window.location.pathname)
  const [query, setQuery] = createSignal(window.location.search.slice(1))
  const look = () =>
    batch(() => {
      setPath(window.location.pathname)
      setQuery(window.location.search.slice(1))
    })
  const go: Router['go'] = (to, options = {}) => {
    if (to === window.location.pathname + window.location.search) return
    const whole = window.location.origin + to // "//x" alone would be another server
    if (options.replace) history.replaceState(null, '', whole)
    else history.pushState(null, '', whole)
    look()
  }
  const onPop = look
  const onClick = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
    if (!link || link.target || link.hasAttribute('download') || link.origin !== window.location.origin || link.hash) return
    event.preventDefault()
    go(link.pathname + link.search)
  }
  window.addEventListener('popstate', onPop)
  document.addEventListener('click', onClick)
  onCleanup(() => {
    window.removeEventListener('popstate', onPop)
    document.removeEventListener('click', onClick)
  })
  return { path, query, go }
}
