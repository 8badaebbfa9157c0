/** tell tells a listener something. What it throws is its own fault, and reported as that of any event listener: uncaught, and behind this. */
export function tell<T>(listener: (of: T) => void, what: T): void {
  try {
    listener(what)
  } catch (e) {
    queueMicrotask(() => { throw e })
  }
}
