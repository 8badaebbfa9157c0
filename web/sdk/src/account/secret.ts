/** Secret is what stands behind the `#` of a one-time link: of the first set-up, an invitation, or a new password. */
export interface Secret {
  readonly kind: 'setup' | 'join' | 'reset'
  readonly secret: string
}

/**
 * takeSecret reads the secret of the page's address, and takes it out of there at once: out of the history, of what is copied from the address bar, and of
 * what other scripts may read. Call it before anything else of the page runs. undefined: there is none.
 */
export function takeSecret(where: Pick<Location, 'hash' | 'pathname' | 'search'> = location, past: Pick<History, 'state' | 'replaceState'> = history): Secret | undefined {
  const found = /^#(setup|join|reset)=(.+)$/.exec(where.hash)
  if (found === null) return undefined
  past.replaceState(past.state, '', where.pathname + where.search)
  return { kind: found[1] as Secret['kind'], secret: found[2] ?? '' }
}
