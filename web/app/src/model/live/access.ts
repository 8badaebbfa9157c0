import { Accounts, type Account as Stored } from '@plenum/sdk/account'
import { createSignal, type Accessor } from 'solid-js'
import type { Access, Account, Link, NewPerson, Stage, Workspace } from '../model.ts'
import { forgetPerson, ofBrowser, ofTab } from '../../shell/stored.ts'
import { agent } from './agent.ts'
import { roleName } from './names.ts'
import { warn } from './warn.ts'

/** The page's own server. */
const server = ''
const lastKey = 'plenum.workspace'

/** The BroadcastChannel on which tabs tell each other whose account is being signed out. */
export const leavers = 'plenum-leavers'

/** accountOf is an account as the screens see it. */
export function accountOf(stored: Stored): Account {
  return { me: stored.person.id, workspace: workspaceOf(stored), permissions: new Set(stored.permissions) }
}

/** same says that nothing is to be shown otherwise. */
function same(a: Account, b: Account): boolean {
  return [...a.permissions].join() === [...b.permissions].join() && a.workspace.slug === b.workspace.slug && a.workspace.name === b.workspace.name
}

function workspaceOf({ workspace }: Stored): Workspace {
  return { id: workspace.id, slug: workspace.slug, name: workspace.name }
}

/** openAccounts opens who is signed in in this browser. */
export function openAccounts(): Promise<Accounts> {
  return Accounts.open({ name: browserName(), agent })
}

/** Doors open what an account needs, for each that comes in, and close it. */
export interface Doors {
  enter(account: Stored): Promise<void>
  leave(): void
}

/** LiveAccess is becoming somebody, by the SDK's accounts. What an account needs is loaded when the first one comes in. */
export class LiveAccess implements Access {
  readonly stage: Accessor<Stage>
  readonly lastWorkspace = ofBrowser.get(lastKey) ?? ''
  readonly #set: (stage: Stage) => void
  readonly #accounts: Accounts
  readonly #load: () => Promise<Doors>
  #doors: Doors | undefined
  #current: Stored | undefined
  #tidied: Promise<void> = Promise.resolve()
  /** Until what the account needs is open. */
  #entering: Promise<void> | undefined

  constructor(accounts: Accounts, load: () => Promise<Doors>) {
    const [stage, set] = createSignal<Stage>({ kind: 'starting' })
    this.stage = stage
    this.#set = (to) => {
      if (to.kind === 'signed-out') forgetPerson()
      set(to)
    }
    this.#accounts = accounts
    this.#load = load
  }

  /** begin goes on as who was here last. */
  async begin(): Promise<void> {
    this.tidy()
    const all = await this.#accounts.list()
    const account = all.find((one) => one.state === 'active') ?? all[0] // somebody else's session may have ended here before
    if (account === undefined) this.#set({ kind: 'signed-out' })
    else if (account.state === 'active') await this.#entered(account)
    else this.#expired(account)
  }

  /**
   * tidy erases what is left of who has gone, and tells the server where that is not done: call it when the network is back. What fails is tried again then, and at
   * the next start. Of a session that has ended drafts wait for the same person, until somebody else signs in here.
   */
  tidy(): void {
    this.#tidied = this.#tidied.then(async () => {
      await this.#accounts.finish()
      const all = await this.#accounts.list()
      if (all.some((account) => account.state === 'active')) await Promise.all(all.filter((account) => account.state === 'ended').map((account) => this.#accounts.wipe(account)))
    }).catch(warn)
  }

  /** renewed is that the session stands, maybe by another token, with which comes what one may do now. */
  async renewed(): Promise<void> {
    const account = this.#current
    if (account === undefined) return
    const now = await this.#accounts.get(account.id).catch(warn)
    const stage = this.stage()
    if (this.#current !== account || stage.kind !== 'signed-in') return // who comes in is looked at again then
    if (now === undefined || now.state !== 'active' || now.session !== account.session) return
    const renewed = accountOf(now)
    if (!same(stage.account, renewed)) this.#set({ kind: 'signed-in', account: renewed })
  }

  /**
   * ended is that the session has ended: by the server, or in another tab. What became of the account meanwhile counts: who has signed out there has signed out
   * here, and who has signed in again goes on as that.
   */
  async ended(wiped: boolean): Promise<void> {
    const account = this.#current
    if (account === undefined) return
    if (wiped) {
      this.#doors?.leave()
      await this.#accounts.wipe(account).catch(warn) // what could not be erased is at the next start
    }
    await this.#entering
    const now = await this.#accounts.get(account.id).catch(warn)
    if (this.#current !== account) return
    this.#doors?.leave()
    this.#current = undefined
    if (now === undefined) {
      ofTab.clear()
      this.#set({ kind: 'signed-out' })
    } else if (now.state === 'ended' || now.session === account.session) {
      this.#expired(now)
    } else {
      this.#set({ kind: 'starting' })
      await this.#entered(now)
    }
  }

  async describe(secret: string): Promise<Link> {
    const { link } = await this.#accounts.describe(server, secret)
    switch (link?.$case) {
      case 'invitation': {
        const { workspaceName, workspaceSlug, invitedBy, role, expiresMs } = link.value
        return { kind: 'join', workspace: workspaceName, slug: workspaceSlug, invitedBy, role: roleName(role), expires: expiresMs }
      }
      case 'reset': {
        const { workspaceName, workspaceSlug, handle, expiresMs } = link.value
        return { kind: 'reset', workspace: workspaceName, slug: workspaceSlug, handle, expires: expiresMs }
      }
      default:
        return { kind: 'setup' }
    }
  }

  async signIn(workspaceSlug: string, handle: string, password: string): Promise<void> {
    await this.#entered(await this.#accounts.signIn(server, { workspaceSlug, handle, password }))
  }

  async setUp(secret: string, workspace: { readonly slug: string; readonly name: string }, person: NewPerson): Promise<void> {
    const { handle, name: displayName, password } = person
    await this.#entered(await this.#accounts.setUp(server, { secret, workspaceSlug: workspace.slug, workspaceName: workspace.name, handle, displayName, password }))
  }

  async join(secret: string, { handle, name: displayName, password }: NewPerson): Promise<void> {
    await this.#entered(await this.#accounts.join(server, { secret, handle, displayName, password }))
  }

  async reset(secret: string, password: string): Promise<void> {
    await this.#entered(await this.#accounts.reset(server, { secret, password }))
  }

  async signOut(): Promise<void> {
    const account = this.#current
    this.#doors?.leave()
    this.#current = undefined
    ofTab.clear() // where somebody was
    if (account !== undefined) {
      tellLeaving(account.id)
      await this.#accounts.signOut(account.id)
    }
    this.#set({ kind: 'signed-out' })
  }

  /** left is that an account is being signed out in another tab: nobody sees it here either, whether or not the server answers. */
  left(id: string): void {
    if (this.#current?.id !== id) return
    this.#doors?.leave()
    this.#current = undefined
    ofTab.clear()
    this.#set({ kind: 'signed-out' })
  }

  #entered(account: Stored): Promise<void> {
    const entering = this.#enter(account)
    this.#entering = entering.catch(() => undefined)
    return entering
  }

  async #enter(account: Stored): Promise<void> {
    const doors = (this.#doors ??= await this.#load())
    doors.leave()
    this.#current = account
    for (const other of await this.#accounts.list()) {
      // One account at a time: who signs out leaves nobody else signed in. What can't be told to the server now is told by `finish`.
      if (other.id === account.id || other.state !== 'active') continue
      forgetPerson()
      tellLeaving(other.id)
      this.#accounts.signOut(other.id).catch(() => undefined)
    }
    ofBrowser.set(lastKey, account.workspace.slug)
    await doors.enter(account)
    if (this.#current === account) {
      this.#set({ kind: 'signed-in', account: accountOf(account) })
      void this.renewed()
      this.tidy()
    } else {
      doors.leave() // the session has ended meanwhile
    }
  }

  #expired(account: Stored): void {
    this.#set({ kind: 'expired', workspace: workspaceOf(account), handle: account.person.handle })
  }
}

function tellLeaving(id: string): void {
  const channel = new BroadcastChannel(leavers)
  channel.postMessage(id)
  channel.close()
}

/** browserName is what the list of devices shows: "Firefox on Linux". */
function browserName(): string {
  const agents = navigator.userAgent
  const browser = /Edg\//.test(agents) ? 'Edge' : /OPR\//.test(agents) ? 'Opera' : /Firefox\//.test(agents) ? 'Firefox' : /Chrome\//.test(agents) ? 'Chrome' : /Safari\//.test(agents) ? 'Safari' : 'Browser'
  const system = /Android/.test(agents) ? 'Android' : /iPhone|iPad/.test(agents) ? 'iOS' : /Mac OS X/.test(agents) ? 'macOS' : /Windows/.test(agents) ? 'Windows' : /Linux/.test(agents) ? 'Linux' : 'a computer'
  return `${browser} on ${system}`
}
