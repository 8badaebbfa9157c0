import { createSignal, type Accessor } from 'solid-js'
import { explain, isRefusal } from '../i18n/refusals.ts'

export interface Submission {
  readonly busy: Accessor<boolean>
  /** Why it was refused; undefined: it wasn't. What belongs to one field is told there: see `field`. */
  readonly error: Accessor<string | undefined>
  readonly field: Accessor<string>
  readonly submit: (event?: Event) => void
}

/** submission sends a form once at a time, and keeps why it was refused until the next attempt. */
export function submission(send: () => Promise<void>): Submission {
  const [busy, setBusy] = createSignal(false)
  const [error, setError] = createSignal<string>()
  const [field, setField] = createSignal('')
  const run = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await send()
    } catch (refused) {
      setField(isRefusal(refused) ? refused.field : '')
      setError(explain(refused))
    } finally {
      setBusy(false)
    }
  }
  return {
    busy,
    error,
    field,
    submit: (event) => {
      event?.preventDefault()
      if (!busy()) void run()
    },
  }
}
