import { ServerError, type Method, type Session } from '@plenum/sdk'
import { newId } from '@plenum/sdk/outbox'

/** NotKept is told of a change that could not be put into the outbox, and why; `again` tries it again. */
export type NotKept = (cause: unknown, again: (() => void) | undefined) => void

export interface KeeperOptions {
  readonly session: Session
  /** Frees room on the disk, and returns whether there was any to be had. */
  readonly makeRoom: () => Promise<boolean>
  readonly onNotKept: NotKept
}

/** How a change is put: its lane, and what it counts for until it is done. */
export interface Put {
  readonly lane: string
  readonly note?: unknown
  /** Names the change for who puts it again after a doubt; absent: another name. */
  readonly key?: string
}

/** Keeper puts changes into the outbox. Where the disk is full, what is only cached makes room for them. */
export class Keeper {
  readonly #o: KeeperOptions

  constructor(o: KeeperOptions) {
    this.#o = o
  }

  /** put puts a change, and tells where it can't be kept. */
  put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, how: Put): void {
    this.keep(method, request, how).catch((cause: unknown) => this.#o.onNotKept(cause, () => this.put(method, request, how)))
  }

  /** keep puts a change; it rejects where it can't be kept. */
  async keep<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, how: Put): Promise<void> {
    const { key = newId() } = how
    const put = () => this.#o.session.outbox.put(method, request, { ...how, key })
    try {
      await put()
    } catch (e) {
      if (!(e instanceof ServerError) || e.reason !== 'client.NOT_KEPT' || !(await this.#o.makeRoom())) throw e
      await put()
    }
  }

  /** retry and drop are of a change that was refused. */
  retry(seq: number): void {
    this.#o.session.outbox.retry(seq).catch((cause: unknown) => this.#o.onNotKept(cause, () => this.retry(seq)))
  }

  drop(seq: number): void {
    this.#o.session.outbox.drop(seq).catch((cause: unknown) => this.#o.onNotKept(cause, () => this.drop(seq)))
  }
}
