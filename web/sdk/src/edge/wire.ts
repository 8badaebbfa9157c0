/** Wire is the connection as far as the outbox needs it. */
export interface Wire {
  /** Whether there is a connection now. */
  readonly up: boolean
  /** onUp tells each change of it, until the function that it returns is called. */
  onUp(listener: (up: boolean) => void): () => void
  /** send sends a call once, and resolves with the encoded response. It rejects with a ServerError: the server's, 201 `client.LOST`, or 200 `client.OFFLINE`. */
  send(c: { method: string; body: Uint8Array; seq: number; lane: number; signal?: AbortSignal }): Promise<Uint8Array>
}
