import { randomBytes } from 'node:crypto'
import type { Plenum } from './plenum.ts'

/** The password of everybody. */
export const password = 'correct horse battery staple'

/** Person is somebody of a workspace, as a test sees them: what they sign in with, and a session beside the browser's. */
export interface Person {
  readonly workspace: string
  readonly handle: string
  readonly name: string
  readonly id: string
  /** call calls a method as this person, over HTTP: `call('plenum.chat.v1.ChatService/CreateChannel', {…})`. A mutation has a number of its own. */
  call(method: string, body: object): Promise<Answer>
}

/** Answer is JSON as protobuf has it; a test knows what it asked for. */
export type Answer = Readonly<Record<string, unknown>>

interface Session {
  accessToken: string
  person: { id: string; handle: string; displayName: string }
}

/** Workspace is one of its own, so that tests don't meet. */
export class Workspace {
  readonly slug: string
  readonly owner: Person
  readonly #plenum: Plenum

  private constructor(plenum: Plenum, slug: string, owner: Person) {
    this.#plenum = plenum
    this.slug = slug
    this.owner = owner
  }

  /** make makes a workspace by a set-up link, with @ada as its owner. */
  static async make(plenum: Plenum): Promise<Workspace> {
    const slug = `w-${randomBytes(5).toString('hex')}`
    const secret = await plenum.anotherSetup()
    const owner = await enter(plenum, slug, 'SetUp', { secret, workspaceSlug: slug, workspaceName: 'Acme', handle: 'ada', displayName: 'Ada Lovelace' })
    return new Workspace(plenum, slug, owner)
  }

  /** person joins by an invitation. */
  async person(handle: string, name = handle, role: 'ROLE_MEMBER' | 'ROLE_GUEST' = 'ROLE_MEMBER'): Promise<Person> {
    const { secret } = await this.owner.call('plenum.identity.v1.AdminService/Invite', { role, ttlMs: 3_600_000 })
    return enter(this.#plenum, this.slug, 'Join', { secret, handle, displayName: name })
  }
}

/** known signs in somebody whom there is, with the password of everybody. */
export async function known(plenum: Plenum, workspace: string, handle: string): Promise<Person> {
  return enter(plenum, workspace, 'SignIn', { workspaceSlug: workspace, handle })
}

/** enter signs in by one of the ways of SessionService. */
async function enter(plenum: Plenum, workspace: string, way: string, how: object): Promise<Person> {
  const clientId = randomBytes(16).toString('hex')
  const res = await post(plenum, `plenum.identity.v1.SessionService/${way}`, { ...how, password, client: { clientId, name: 'a test', agent: 'e2e' } }, {})
  const { accessToken, person } = res['session'] as Session
  let seq = 0
  return {
    workspace,
    handle: person.handle,
    name: person.displayName,
    id: person.id,
    call: (method, body) => post(plenum, method, body, { Authorization: `Bearer ${accessToken}`, 'Plenum-Client-Id': clientId, 'Plenum-Client-Seq': String(++seq) }),
  }
}

/** How long chat may take to hear of somebody who has just joined, in milliseconds, and how often it is asked. */
const acquainted = 10_000
const asked = 100

async function post(plenum: Plenum, method: string, body: object, headers: Record<string, string>): Promise<Answer> {
  for (const begun = Date.now(); ; ) {
    const res = await fetch(`${plenum.origin}/${method}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) })
    if (res.ok) return (await res.json()) as Answer
    const why = await res.text()
    if (!why.includes('just joined') || Date.now() - begun > acquainted) throw new Error(`${method}: ${res.status} ${why}`)
    await new Promise((done) => setTimeout(done, asked))
  }
}
