import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Way is a browser's connection and the one to Plenum that belongs to it. */
interface Way {
  readonly browser: Socket
  readonly plenum: Socket
  /** It carries a WebSocket. */
  upgraded: boolean
  /** Nothing passes any more. */
  dead: boolean
}

/**
 * Proxy stands between a browser and Plenum on a loopback port, and does what networks do: it refuses, holds back, cuts, and falls silent. Go to the page by
 * its origin.
 */
export class Proxy {
  readonly origin: string
  /** When WebSockets were asked for, Date.now(), whatever became of it. */
  readonly attempts: number[] = []
  /** For how long nothing had been asked for before each of these, in milliseconds. */
  readonly pauses: number[] = []
  /** Paths of all that was asked for. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #to: number
  readonly #ways = new Set<Way>()
  #refused: RegExp | undefined
  #last = 0
  #held = false
  #cut = false

  private constructor(server: Server, port: number, to: number) {
    this.#server = server
    this.origin = `http://127.0.0.1:${port}`
    this.#to = to
    server.on('connection', (socket) => { this.#accept(socket) })
  }

  /** start stands before an origin, http://127.0.0.1:port. */
  static async start(origin: string): Promise<Proxy> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return new Proxy(server, address.port, Number(new URL(origin).port))
  }

  /** How many WebSockets are open through it. */
  get sockets(): number {
    return [...this.#ways].filter((way) => way.upgraded && !way.dead).length
  }

  /** refuse answers requests for such paths by 403, as a company's proxy does; undefined: none. Those under way go on. */
  refuse(paths: RegExp | undefined): void {
    this.#refused = paths
  }

  /** hold keeps back what Plenum says, until release. */
  hold(): void {
    this.#held = true
    for (const way of this.#ways) way.plenum.pause()
  }

  release(): void {
    this.#held = false
    for (const way of this.#ways) way.plenum.resume()
  }

  /** cut closes all connections, and new ones before they have said anything that matters, until mend. */
  cut(): void {
    this.#cut = true
    for (const way of this.#ways) way.browser.destroy()
  }

  mend(): void {
    this.#cut = false
  }

  /** lose has all connections that there are lead nowhere, without closing them: as a router that has forgotten them. New ones are carried. */
  lose(): void {
    for (const way of this.#ways) way.dead = true
  }

  /** stop ends it, and all that it carries. */
  async stop(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(browser: Socket): void {
    const plenum = connect(this.#to, '127.0.0.1')
    const way: Way = { browser, plenum, upgraded: false, dead: false }
    this.#ways.add(way)
    if (this.#held) plenum.pause()
    browser.on('data', (data) => { this.#said(way, data) })
    plenum.on('data', (data) => { if (!way.dead) browser.write(data) })
    for (const [one, other] of [[browser, plenum], [plenum, browser]] as const) {
      one.on('error', () => undefined) // its close follows
      one.on('close', () => {
        if (way.dead && one === plenum) return
        this.#ways.delete(way)
        other.destroy()
      })
    }
  }

  #said(way: Way, data: Buffer): void {
    if (way.dead) return
    if (!way.upgraded) {
      const path = /^(?:GET|POST|HEAD) (\S+) HTTP\/1\.1\r\n/.exec(data.toString('latin1', 0, 2048))?.[1] // a browser doesn't ask again before it has its answer
      if (path !== undefined) {
        this.asked.push(path)
        const now = Date.now()
        const socket = path.startsWith('/edge/v1/ws')
        if (socket) {
          this.attempts.push(now)
          this.pauses.push(now - this.#last)
        }
        this.#last = now
        if (this.#cut) {
          way.browser.destroy()
          return
        }
        if (this.#refused?.test(path)) {
          way.browser.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
          return
        }
        way.upgraded = socket
      }
    }
    way.plenum.write(data)
  }
}
