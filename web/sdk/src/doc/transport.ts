/** Cursor is a place in a document's topic: offset is a version. */
export interface Cursor {
  readonly epoch: number
  readonly offset: number
}

/** Submission is an edit on its way: a repetition of it is the same in every field. Delta is canonical JSON. */
export interface Submission {
  readonly document: string
  /** client_seq, which names it together with the client_id. */
  readonly seq: number
  readonly epoch: number
  readonly base: number
  readonly delta: string
}

/** Submitted is the answer to a Submission. */
export interface Submitted {
  readonly epoch: number
  readonly version: number
}

/** Part is an answer of ReadDocument. */
export interface Part {
  readonly delta: string
  readonly version: number
  readonly epoch: number
  /** Of the whole content, in code units. */
  readonly length: number
  readonly more: boolean
  /** In the last part: SHA-256 of the whole content. */
  readonly hash: Uint8Array
}

/** Presence is where somebody's cursor is, as it is signalled. */
export interface Presence {
  readonly version: number
  readonly anchor: number
  readonly head: number
  readonly typing: boolean
  readonly left: boolean
}

/** DocumentEvent is an event of a document's topic, as far as it matters to the content. */
export interface DocumentEvent {
  readonly version: number
  /** The first 8 bytes of SHA-256 of client_id + "/" + client_seq; 0: none. */
  readonly mutation: bigint
  readonly actor: string
  /** The delta of `edited` or `created`; '' of all others, and of one whose body was deleted for ever. */
  readonly delta: string
}

/** Update is what a subscription tells: events, somebody's signal, or that the topic has to be read anew before it can be followed on. */
export type Update =
  | { readonly kind: 'events'; readonly events: readonly DocumentEvent[] }
  | { readonly kind: 'signal'; readonly from: string; readonly presence: Presence }
  | { readonly kind: 'reset' }

/** Subscription follows a document's topic from a cursor on, over lost connections, without a hole. */
export interface Subscription {
  /** next waits for news. It rejects when the topic has said its last word: with a ServerError where the server gave one. */
  next(): Promise<Update>
  /** resume goes on from another cursor, after a reset. */
  resume(from: Cursor): void
  /** signal tells others where the user is; it may be lost. */
  signal(presence: Presence): void
  close(): void
}

/**
 * Transport is what a document needs of the session with the server. Promises reject with a ServerError where the server refused for good, and
 * with another error when there is no use in going on; until then they wait, over lost connections. An aborted one rejects with the signal's reason.
 */
export interface Transport {
  /** clientId names the installation, whose numbers `number` gives. It stays the same over restarts. */
  readonly clientId: string
  /** number is a client_seq that was never given before, nor will be after a crash. */
  number(): Promise<number>
  /** submit sends an edit, again and again with its number, until the answer is none of 200–299. */
  submit(edit: Submission, signal: AbortSignal): Promise<Submitted>
  /** read reads a part of the content behind so many code units; version 0 is the newest. */
  read(document: string, version: number, after: number, signal: AbortSignal): Promise<Part>
  /** version is the newest version. */
  version(document: string, signal: AbortSignal): Promise<number>
  follow(document: string, from: Cursor): Subscription
}
