import { compose, empty, rebase, type Delta } from '../ot/index.ts'

/** The limits of what can be taken back. */
export const historySteps = 1000
export const historyBytes = 16 * 2 ** 20 // of the texts that undoing would bring back
const historyMerge = 1000 // ms: what is typed within it is one step
const historyLazy = 200 // operations of others that may wait to be taken into the steps

/**
 * History is what the user can take back and do again: the inverses of their own edits, transformed over what others did since. So undoing never
 * undoes somebody else. The last step of each list edits what is shown, each one before it what is shown after that.
 */
export class History {
  undo: Delta[] = []
  redo: Delta[] = []
  /** Of both. */
  bytes = 0
  /** When the last step of undo began, in Unix milliseconds; null: nothing joins it. */
  #began: number | null = null
  /**
   * What others did since the steps were written. It is composed and taken into them when they are needed: a step for each of a hundred remote
   * edits would cost a hundred times as much. (Clients need not agree on it, so it may be composed.)
   */
  since = empty

  /** changed notes that somebody else has changed what is shown. */
  changed(edit: Delta): void {
    if (this.undo.length + this.redo.length === 0) return
    this.since = compose(this.since, edit)
    if (this.since.ops.length > historyLazy) this.catchUp()
  }

  /** catchUp takes what others did into the steps. */
  catchUp(): void {
    if (this.since.isEmpty) return
    this.bytes = 0
    for (const steps of [this.undo, this.redo]) {
      let edit = this.since
      for (let i = steps.length - 1; i >= 0; i--) {
        const { change, after } = rebase(steps[i] as Delta, [edit])
        steps[i] = change
        edit = after[0] as Delta
        this.bytes += weight(change)
      }
    }
    this.since = empty
  }

  /** typed notes an edit by its inverse. */
  typed(back: Delta, now: number): void {
    this.catchUp()
    for (const step of this.redo) this.bytes -= weight(step)
    this.redo = []
    const last = this.undo.at(-1)
    if (last !== undefined && this.#began !== null && now - this.#began < historyMerge) {
      const both = compose(back, last)
      this.bytes += weight(both) - weight(last)
      this.undo[this.undo.length - 1] = both
      this.#trim()
      return
    }
    this.#began = now
    this.push(this.undo, back)
  }

  /** push adds a step to one of the lists. */
  push(steps: Delta[], step: Delta): void {
    steps.push(step)
    this.bytes += weight(step)
    if (steps.length > historySteps) this.#drop(steps)
    this.#trim()
  }

  /** trim drops the oldest steps where they take too much memory; the newest stays. */
  #trim(): void {
    while (this.bytes > historyBytes && this.undo.length + this.redo.length > 1) {
      this.#drop(this.undo.length > 1 || this.redo.length === 0 ? this.undo : this.redo)
    }
  }

  #drop(steps: Delta[]): void {
    const step = steps.shift()
    if (step !== undefined) this.bytes -= weight(step)
  }

  /** take gives the newest step of a list that still changes something, or null. */
  take(steps: Delta[]): Delta | null {
    this.catchUp()
    this.#began = null
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      this.bytes -= weight(step)
      if (!step.isEmpty) return step
    }
    return null
  }
}

/** weight is about how many bytes of memory a delta's texts and operations take. */
export const weight = (d: Delta): number => d.ops.reduce((n, op) => n + 64 + 2 * op.text.length, 0)
