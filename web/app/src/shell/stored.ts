/**
 * What the browser keeps of the page in a few words. A browser may forbid that, at the mere look at it, and its disk may be full: then nothing is found, and what
 * was to be kept lasts as long as the page. Nobody has to catch anything.
 */
export interface Stored {
  /** null: nothing, or it can't be read. */
  get(key: string): string | null
  set(key: string, text: string): void
  remove(key: string): void
  clear(): void
}

/** stored is over one of the browser's storages. */
export function stored(storage: () => Storage): Stored {
  const does = <T>(what: (there: Storage) => T, else_: T): T => {
    try {
      return what(storage())
    } catch {
      return else_
    }
  }
  return {
    get: (key) => does((there) => there.getItem(key), null),
    set: (key, text) => does((there) => there.setItem(key, text), undefined),
    remove: (key) => does((there) => there.removeItem(key), undefined),
    clear: () => does((there) => there.clear(), undefined),
  }
}

/** ofBrowser is all tabs', until it is erased; ofTab lives as long as its tab does. */
export const ofBrowser = stored(() => localStorage)
export const ofTab = stored(() => sessionStorage)

/** Keys of ofBrowser that are of who is signed in: they go at sign-out. */
export const personal = { emoji: 'plenum.emoji', channel: 'plenum.channel' } as const

const forgetting = new Set<() => void>()

/** onForget is called when who was here has signed out: what a page has of them in memory goes, too. */
export function onForget(forget: () => void): void {
  forgetting.add(forget)
}

/** forgetPerson erases what is kept in few words of who has signed out. */
export function forgetPerson(): void {
  for (const key of Object.values(personal)) ofBrowser.remove(key)
  for (const forget of forgetting) forget()
}
