import { spawn, execFile, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** The folder of plenum and plenumctl, as `make test` builds them. */
const bin = process.env['PLENUM_BIN'] ?? resolve(import.meta.dirname, '../../bin')

/** How long a start may take, in milliseconds: on a machine that does much else besides. */
const patience = 60_000

/** Plenum is a real one, on a loopback port and a data folder of its own. It can die, and come back with what it knew. */
export class Plenum {
  /** Where it is, for as long as it has this folder: http://127.0.0.1:port. */
  readonly origin: string
  readonly #folder: string
  readonly #flags: readonly string[]
  #process: ChildProcess | undefined
  #link = ''

  private constructor(port: number, folder: string, flags: readonly string[]) {
    this.origin = `http://127.0.0.1:${port}`
    this.#folder = folder
    this.#flags = flags
  }

  /** start returns when it is ready. Flags are those of `plenum --help`. */
  static async start(...flags: string[]): Promise<Plenum> {
    const p = new Plenum(await freePort(), await mkdtemp(join(tmpdir(), 'plenum-web-')), flags)
    await p.restart()
    return p
  }

  /** The secret by which the first workspace is made; it works once. */
  get setup(): string {
    return this.#link.split('#setup=')[1] ?? ''
  }

  /** The process's id; undefined while it is down. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** anotherSetup is the secret for one more workspace, as the operator gets it. */
  async anotherSetup(): Promise<string> {
    const stdout = await this.#plenumctl('operator', '--data', this.#data, 'setup')
    const secret = /#setup=([^'\s]+)/.exec(stdout)?.[1]
    if (secret === undefined) throw new Error(`plenumctl operator setup prints ${stdout}`)
    return secret
  }

  /** demo makes the workspace of `make demo`, with one password for everybody. */
  async demo(workspace: string, password: string): Promise<void> {
    await this.#plenumctl('demo', '--data', this.#data, '--workspace', workspace, '--password', password)
  }

  async #plenumctl(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(bin, 'plenumctl'), ['--server', this.origin, ...args], { env: { PATH: process.env['PATH'], HOME: this.#folder } })
    return stdout
  }

  /** kill ends it at once, by SIGKILL: as a machine that loses its power, but for what the disk has. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** stop ends it in order, and forgets its data. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** restart starts it where it was, with its data, and returns when it is ready. Further flags hold for this run. */
  async restart(...further: string[]): Promise<void> {
    if (this.#process) throw new Error('it runs: kill it first')
    const args = ['--addr', this.origin.slice('http://'.length), '--data', this.#data, ...this.#flags, ...further]
    // setpriv: it dies with this process, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', join(bin, 'plenum'), ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } })
    this.#process = child
    child.stderr.on('data', (text: Buffer) => void appendFile(this.#log, text).catch(() => undefined)) // the folder may be gone
    const printed = await new Promise<string>((ready, failed) => {
      let all = ''
      const late = setTimeout(() => { failed(new Error(`plenum isn't ready after ${patience} ms`)) }, patience)
      child.stdout.on('data', (text: Buffer) => {
        all += text.toString()
        if (all.includes('Ctrl-C stops it.')) {
          clearTimeout(late)
          ready(all)
        }
      })
      child.once('error', failed)
      child.once('exit', (code) => { clearTimeout(late); failed(new Error(`plenum ends with ${code}: see ${this.#log}`)) })
    })
    this.#link = /plenumctl setup '([^']+)'/.exec(printed)?.[1] ?? this.#link
  }

  /** logged is what it has written to its log, for a test that failed. */
  async logged(): Promise<string> {
    return readFile(this.#log, 'utf8').catch(() => '')
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  get #log(): string {
    return join(this.#folder, 'log')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

/** freePort is one that nobody listens at, below those that Linux gives to whoever asks for any: it is free while Plenum is down, too. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    server.listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(() => true, () => false)
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
