import { read } from './read.ts'
import type { Outcome, Replica } from './replica.ts'
import { ServerError } from '../errors.ts'
import { type Subscription, type Transport, type Update } from './transport.ts'

const longest = 3_600_000 // ms that a timer runs

/** Post is something that happened and is to be worked off. */
type Post =
  | { readonly kind: 'update'; readonly update: Update }
  | { readonly kind: 'last'; readonly error: unknown }
  | { readonly kind: 'answer'; readonly seq: number; readonly outcome: Outcome }
  | { readonly kind: 'failure'; readonly error: unknown }

/**
 * Talk keeps a replica as the server has it, and sends what was typed, until its signal aborts. It works off what happens one after the other; only
 * the user's edits come in between.
 */
export class Talk {
  readonly #replica: Replica
  readonly #transport: Transport
  readonly #now: () => number
  readonly #signal: AbortSignal
  #subscription: Subscription | null = null
  #posts: Post[] = []
  /** Something may be to be done since it was looked for last. */
  #woken = false
  /** Ends the rest. */
  #ring: () => void = () => undefined
  /** seq of the edit whose answer is waited for; 0: none is. */
  #calling = 0
  /** Ends that call. */
  #giveUp = new AbortController()
  /** Taken from the transport, and not used yet; 0: none. */
  #number = 0
  /** The topic's last word. */
  #last: { readonly error: unknown } | null = null

  constructor(replica: Replica, transport: Transport, now: () => number, signal: AbortSignal) {
    this.#replica = replica
    this.#transport = transport
    this.#now = now
    this.#signal = signal
  }

  /** wake has it look what the user did. */
  wake(): void {
    this.#woken = true
    this.#ring()
  }

  /** run resolves once the signal aborts. It rejects with the reason why there is no use in going on. */
  async run(): Promise<void> {
    const stop = () => {
      this.wake()
    }
    this.#signal.addEventListener('abort', stop)
    try {
      await this.#loop()
    } catch (e) {
      if (!this.#signal.aborted) throw e
    } finally {
      this.#signal.removeEventListener('abort', stop)
      this.#giveUp.abort(new Error('the document is not followed any more'))
      this.#subscription?.close()
    }
  }

  async #loop(): Promise<void> {
    const replica = this.#replica
    if (replica.state === null) await this.#reread()
    const { state } = replica
    if (state === null) return
    const subscription = this.#transport.follow(replica.document, { epoch: state.epoch, offset: state.version })
    this.#subscription = subscription
    void this.#listen(subscription)
    while (!this.#signal.aborted) {
      this.#woken = false
      if (await this.#advance()) continue
      await this.#rest(this.#present(subscription))
      for (const post of this.#posts.splice(0)) await this.#work(post)
    }
  }

  async #listen(subscription: Subscription): Promise<void> {
    try {
      for (;;) this.#post({ kind: 'update', update: await subscription.next() })
    } catch (error) {
      this.#post({ kind: 'last', error })
    }
  }

  #post(post: Post): void {
    this.#posts.push(post)
    this.wake()
  }

  /** rest waits until something happens, or a time comes. */
  async #rest(until: number): Promise<void> {
    if (this.#woken) return
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(Math.max(until - this.#now(), 0), longest))
      this.#ring = resolve
    })
    clearTimeout(timer)
  }

  /** advance does what can be done now. It reports true where more may be possible at once. */
  async #advance(): Promise<boolean> {
    const replica = this.#replica
    if (this.#calling !== 0) {
      // Its event may have settled it: then the answer says nothing new.
      if (replica.submission()?.seq !== this.#calling) this.#giveUp.abort(new Error('settled by its event'))
      return false
    }
    if (this.#last !== null) {
      replica.ended(this.#last.error, this.#now())
      throw this.#last.error
    }
    if (replica.stale) {
      await this.#reread()
      return true
    }
    switch (replica.due(this.#now())) {
      case 'nothing':
        return false
      case 'new':
        if (this.#number === 0) {
          this.#number = await this.#transport.number()
          return true // the user may have done something meanwhile
        }
        replica.send(this.#number, this.#now())
        this.#number = 0
    }
    void this.#call()
    return false
  }

  /** call sends what is under way, once it is on disk, and posts the answer. */
  async #call(): Promise<void> {
    const submission = this.#replica.submission()
    if (submission === null) return
    this.#calling = submission.seq
    this.#giveUp = new AbortController()
    try {
      await this.#replica.writer?.flushed()
      this.#post({ kind: 'answer', seq: submission.seq, outcome: await this.#transport.submit(submission, this.#giveUp.signal) })
    } catch (error) {
      const refused = error instanceof ServerError && error.code >= 100 && error.code < 200
      this.#post(refused ? { kind: 'answer', seq: submission.seq, outcome: error } : { kind: 'failure', error })
    }
  }

  async #work(post: Post): Promise<void> {
    const replica = this.#replica
    switch (post.kind) {
      case 'update':
        replica.update(post.update, this.#now())
        return
      case 'last':
        this.#last = post
        return
      case 'failure': // the client has stopped, or the call was given up
        this.#calling = 0
        if (!this.#giveUp.signal.aborted) throw post.error
        return
      case 'answer':
        this.#calling = 0
        replica.answered(post.seq, post.outcome, this.#now())
        if (!replica.lookAhead) return
        replica.behind = await this.#transport.version(replica.document, this.#signal)
        replica.lookAhead = false
    }
  }

  /** reread reads the content anew, brings what is pending along, and follows from there. Nothing that is under way waits for its answer. */
  async #reread(): Promise<void> {
    let whole
    try {
      whole = await read(this.#transport, this.#replica.document, 0, this.#signal)
    } catch (error) {
      if (this.#subscription === null || this.#signal.aborted) throw error
      this.#last = { error }
      return
    }
    this.#replica.renew(whole.content, whole.at)
    this.#subscription?.resume(whole.at)
  }

  /** present tells others where the user is, where that is news, and returns when to look again. */
  #present(subscription: Subscription): number {
    const now = this.#now()
    const { signal, again } = this.#replica.present(now)
    if (signal !== null) subscription.signal(signal)
    const { pause } = this.#replica
    return pause > now ? Math.min(again, pause) : again
  }
}
