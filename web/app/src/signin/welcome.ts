/** One-time secrets of links, and how far a first run has come. */
import { takeSecret } from '@plenum/sdk/account'
import { createSignal, type Accessor } from 'solid-js'
import { ofTab } from '../shell/stored.ts'

/** Whether a link was opened in this tab. */
const opened = 'plenum.link'

export interface Welcome {
  /** The secret of the link that led here; undefined: none. */
  readonly secret: Accessor<string | undefined>
  /** The link is done with, or given up. */
  forget(): void
  /** A link was opened in this tab and not done with as the page was loaded anew: its secret is kept nowhere. */
  readonly lost: Accessor<boolean>
  /** A workspace has just been made here: invitations and a first channel are next. */
  readonly first: Accessor<boolean>
  setFirst(first: boolean): void
}

/**
 * createWelcome takes the secret out of the address at once: it is to stand neither in the history nor on the screen. A link that is opened in a page that is
 * there already counts as well.
 */
export function createWelcome(): Welcome {
  const [secret, setSecret] = createSignal(take())
  const [lost, setLost] = createSignal(secret() === undefined && ofTab.get(opened) !== null)
  const [first, setFirst] = createSignal(false)
  window.addEventListener('hashchange', () => {
    const found = take()
    if (found !== undefined) setSecret(found)
  })
  const forget = () => {
    ofTab.remove(opened)
    setLost(false)
    setSecret(undefined)
  }
  return { secret, forget, lost, first, setFirst }
}

function take(): string | undefined {
  const secret = takeSecret()?.secret
  if (secret !== undefined) ofTab.set(opened, 'yes')
  return secret
}
