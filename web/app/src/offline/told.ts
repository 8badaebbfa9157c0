import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'

/** notKept tells that a change could not be kept to be sent, why, and what to do. */
export function notKept(cause: unknown, again: (() => void) | undefined): void {
  toast(text().storage.lost, { kind: 'failure', cause: explain(cause), action: again && { label: core().retry, run: again } })
}
