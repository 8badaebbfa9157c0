import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

/** Front is a server before a Plenum, as a reverse proxy is: it passes all on, but for files that a test gives it in place of Plenum's. So it can roll out another build. */
export class Front {
  readonly origin: string
  /** Paths that were asked for, in order. */
  readonly asked: string[] = []
  readonly #server: Server
  readonly #behind: URL
  readonly #instead = new Map<string, string>()
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, behind: URL) {
    this.#server = server
    this.#behind = behind
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('request', (req: IncomingMessage, res) => {
      const path = new URL(req.url ?? '/', this.origin).pathname
      this.asked.push(path)
      const instead = this.#instead.get(path)
      // As it is: what stands in its place is not compressed.
      const headers = instead === undefined ? req.headers : { ...req.headers, 'accept-encoding': 'identity' }
      const passed = request({ host: behind.hostname, port: behind.port, path: req.url, method: req.method, headers }, (answer) => {
        if (instead === undefined) {
          res.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(res)
          return
        }
        answer.resume()
        res.writeHead(200, { ...answer.headers, 'etag': '"instead"', 'content-length': Buffer.byteLength(instead) })
        res.end(instead)
      })
      passed.on('error', () => res.destroy())
      if (instead !== undefined) passed.removeHeader('if-none-match')
      req.pipe(passed)
    })
    server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
      const line = connect(Number(behind.port), behind.hostname, () => {
        line.write([`GET ${req.url ?? ''} HTTP/1.1`, ...Object.entries(req.headers).map(([name, value]) => `${name}: ${String(value)}`), '', ''].join('\r\n'))
        line.write(head)
        socket.pipe(line).pipe(socket)
      })
      for (const end of [line, socket]) end.on('error', () => { line.destroy(); socket.destroy() })
    })
  }

  static async before(plenum: { readonly origin: string }): Promise<Front> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Front(server, new URL(plenum.origin))
  }

  /** rollOut serves another build from now on: the page has a mark in it, the worker another version. */
  async rollOut(mark: string): Promise<void> {
    const [page, worker] = await Promise.all(['/', '/sw.js'].map(async (path) => (await fetch(new URL(path, this.#behind))).text()))
    const version = /name="plenum-build" content="([^"]+)"/.exec(page ?? '')?.[1]
    if (page === undefined || worker === undefined || version === undefined) throw new Error('there is no build')
    const next = page.replace(version, mark).replace('<title>', `<meta name="mark" content="${mark}" /><title>`)
    this.#instead.set('/', next)
    this.#instead.set('/sw.js', worker.replace(version, mark).replace(digest(page), digest(next)))
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64')
