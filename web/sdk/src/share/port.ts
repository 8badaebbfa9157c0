/** Port is one end of a line between two pages, on which structured clones pass in order: a MessagePort, or a BroadcastChannel that two have. */
export interface Port {
  postMessage(message: unknown): void
  onmessage: ((event: MessageEvent) => void) | null
  close(): void
}
