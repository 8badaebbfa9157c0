import type { Box, Write } from './store.ts'

interface Job {
  readonly write: Write
  readonly stored: () => void
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/**
 * Writer stores changes one after the other, in the order in which they are given. What is given while it writes goes together into one transaction:
 * a hundred messages written at once cost two.
 */
export class Writer {
  readonly #box: Box
  #jobs: Job[] = []
  #writing = false

  constructor(box: Box) {
    this.#box = box
  }

  /** write stores a change. `stored` is called once it is there, in order, before the promise resolves. */
  write(write: Write, stored: () => void = () => undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ write, stored, resolve, reject })
      if (!this.#writing) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#writing = true
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs
      this.#jobs = []
      if (jobs.length > 1 && (await this.#together(jobs))) continue
      for (const job of jobs) await this.#alone(job) // so that one which can't be stored doesn't take the others with it
    }
    this.#writing = false
  }

  async #together(jobs: readonly Job[]): Promise<boolean> {
    try {
      await this.#box.write(merged(jobs.map((job) => job.write)))
    } catch {
      return false
    }
    for (const job of jobs) done(job)
    return true
  }

  async #alone(job: Job): Promise<void> {
    try {
      await this.#box.write(job.write)
    } catch (e) {
      job.reject(e)
      return
    }
    done(job)
  }
}

function done(job: Job): void {
  job.stored()
  job.resolve()
}

/** merged is many changes as one. Numbers only grow, and nothing is put again that was removed. */
function merged(writes: readonly Write[]): Write {
  const removed = new Set(writes.flatMap((w) => w.remove ?? []))
  const put = new Map(writes.flatMap((w) => w.put ?? []).map((e) => [e.seq, e]))
  for (const seq of removed) put.delete(seq)
  const reserved = Math.max(...writes.map((w) => w.reserved ?? 0))
  const tried = Math.max(...writes.map((w) => w.tried ?? 0))
  const past = writes.findLast((w) => w.past !== undefined)?.past
  return { put: [...put.values()], remove: [...removed], ...(past !== undefined && { past }), ...(reserved > 0 && { reserved }), ...(tried > 0 && { tried }) }
}
