/** One-time secrets of links, and how far a first run has come. */
import { takeSecret } from '@plenum/sdk/account'
import { createSignal, type Accessor } from 'solid-js'

export interface Welcome {
  /** The secret of the link that led here; undefined: none. */
  readonly secret: Accessor<string | undefined>
  /** The link is done with. */
  forget(): void
  /** A workspace has just been made here: invitations and a first channel are next. */
  readonly first: Accessor<boolean>
  setFirst(first: boolean): void
}

/**
 * createWelcome takes the secret out of the address at once: it is to stand neither in the history nor on the screen. A link that is opened in a page that is
 * there already counts as well.
 */
export function createWelcome(): Welcome {
  const [secret, setSecret] = createSignal(takeSecret()?.secret)
  const [first, setFirst] = createSignal(false)
  window.addEventListener('hashchange', () => {
    const found = takeSecret()?.secret
    if (found !== undefined) setSecret(found)
  })
  return { secret, forget: () => setSecret(undefined), first, setFirst }
}
