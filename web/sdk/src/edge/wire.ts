/**
 * Wire is what the outbox has of the connection: one Call at a time, with the number and the lane that it names. Nothing is repeated here; who keeps
 * changes decides what goes out again.
 */
export interface Wire {
  /** There is a connection that takes calls. */
  readonly up: boolean
  /**
   * onUp tells each change of `up`, until the function that it returns is called: true when a connection has been opened, and before its Hello is on the way,
   * so that what is sent then goes with it; false when it is lost, after its calls were rejected.
   */
  onUp(listener: (up: boolean) => void): () => void
  /**
   * send sends one Call over the connection that is up now, and returns the encoded answer. It never repeats. It rejects with a ServerError: the
   * server's; 201 `client.LOST` where the connection is lost before the answer; 200 `client.OFFLINE` where there is none; or with the signal's reason.
   */
  send(c: { method: string; body: Uint8Array; seq: number; lane: number; signal?: AbortSignal }): Promise<Uint8Array>
}
