import { Code, ServerError } from '../errors.ts'
import { ClientFrame, ServerMessage } from '../proto/plenum/edge/v1/edge.ts'
import * as fault from './fault.ts'
import { firstMessage, frameBytes, maxBody, maxFrames, readLimit } from './limits.ts'
import type { Dialer, Ear, Line } from './line.ts'

/** Subprotocol names the protocol's major version and its encoding. */
const subprotocol = 'plenum.v1.proto'

/** Socket is what is used of a WebSocket. */
export type Socket = Pick<WebSocket, 'binaryType' | 'protocol' | 'bufferedAmount' | 'onopen' | 'onmessage' | 'onclose' | 'onerror' | 'send' | 'close'>

export type SocketMaker = new (url: string, protocols: string[]) => Socket

/** webSocket dials a gateway at its base address, "https://plenum.example.com". */
export function webSocket(server: string, Maker: SocketMaker): Dialer {
  const url = `${server.replace(/^http/, 'ws')}/edge/v1/ws`
  return (ear) => new WebSocketLine(server, new Maker(url, [subprotocol]), ear)
}

class WebSocketLine implements Line {
  readonly transport = 'websocket'
  readonly #server: string
  readonly #socket: Socket
  readonly #ear: Ear
  #open = false
  #ended = false
  /** How long the next message may be, and those behind it. A longer frame goes alone. */
  #most = firstMessage
  #later = maxBody

  constructor(server: string, socket: Socket, ear: Ear) {
    this.#server = server
    this.#socket = socket
    this.#ear = ear
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      if (this.#ended) return
      if (socket.protocol !== subprotocol) {
        this.#end(new ServerError(Code.VERSION, 'client.VERSION', `${server} does not speak ${subprotocol}. Is it a Plenum server, and a recent one?`))
        return
      }
      this.#open = true
      ear.opened()
    }
    socket.onmessage = ({ data }: { readonly data: unknown }) => { this.#message(data) }
    socket.onclose = ({ code, reason }) => { this.#end(this.#why(code, reason)) }
    // What there is to know comes with its close; but Node 20 tells no close of what never opened.
    socket.onerror = () => { if (!this.#open) this.#end(fault.unreachable(server)) }
  }

  get waiting(): number {
    return this.#socket.bufferedAmount
  }

  send(frames: readonly ClientFrame[]): void {
    if (this.#ended) return
    for (const message of this.#pack(frames)) {
      try {
        this.#socket.send(message)
      } catch (e) {
        this.#end(fault.lost(String(e)))
        return
      }
    }
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#hangUp()
  }

  /** pack makes messages of frames. The first is read by a gateway that does not know yet whose it is. */
  *#pack(frames: readonly ClientFrame[]): Generator<Uint8Array<ArrayBuffer>> {
    let parts: Uint8Array[] = []
    let bytes = 0
    for (const frame of frames) {
      const part = ClientFrame.encode(frame).finish()
      const size = part.length + frameBytes
      if (parts.length > 0 && (bytes + size > this.#most || parts.length === maxFrames)) {
        yield join(parts, bytes)
        this.#most = this.#later
        parts = []
        bytes = 0
      }
      parts.push(part)
      bytes += size
    }
    if (parts.length === 0) return
    yield join(parts, bytes)
    this.#most = this.#later
  }

  #message(data: unknown): void {
    if (this.#ended) return
    if (!(data instanceof ArrayBuffer)) {
      this.#end(fault.garbled('it is text'))
      return
    }
    if (data.byteLength > readLimit) {
      this.#end(fault.garbled(`a message is ${data.byteLength} bytes long; at most ${readLimit} are taken`))
      return
    }
    let message: ServerMessage
    try {
      message = ServerMessage.decode(new Uint8Array(data))
    } catch (e) {
      this.#end(fault.garbled(String(e)))
      return
    }
    for (const { frame } of message.frames) {
      if (frame?.$case === 'welcome') this.#later = Math.min(maxBody, frame.value.limits?.messageBytes || maxBody)
    }
    this.#ear.heard(message.frames)
  }

  #why(code: number, reason: string): ServerError {
    if (code >= 4000) return new ServerError(code, '', reason)
    return this.#open ? fault.lost(`code ${code}`) : fault.unreachable(this.#server)
  }

  #end(why: ServerError): void {
    if (this.#ended) return
    this.#ended = true
    this.#hangUp()
    this.#ear.closed(why)
  }

  #hangUp(): void {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null
    this.#socket.close(1000)
  }
}

/** join is a ClientMessage of encoded frames, whose lengths take `bytes` at most. */
function join(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    out[at++] = 10 // frames = 1
    let n = part.length
    for (; n > 127; n >>>= 7) out[at++] = (n & 127) | 128
    out[at++] = n
    out.set(part, at)
    at += part.length
  }
  return out.subarray(0, at)
}
