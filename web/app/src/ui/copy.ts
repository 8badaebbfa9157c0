import { text } from '../i18n/en.ts'
import { toast } from './toasts.ts'

/** How much of a text is shown that could not be copied, in characters. */
const shown = 300

/** copy puts a text onto the clipboard, and says so. Where that is forbidden it is shown, to be copied by hand. */
export async function copy(words: string): Promise<void> {
  if (await copied(words)) toast(text().copied)
  else toast(text().notCopied, { kind: 'failure', cause: words.slice(0, shown), action: undefined })
}

async function copied(words: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(words)
    return true
  } catch {
    return copiedByCommand(words) // a page that came by plain HTTP has no clipboard, and a browser may refuse it
  }
}

/** copiedByCommand copies the way that is there on any page, and returns whether it could. */
function copiedByCommand(words: string): boolean {
  let set = false
  const put = (event: ClipboardEvent) => {
    event.preventDefault()
    event.stopImmediatePropagation()
    event.clipboardData?.setData('text/plain', words)
    set = event.clipboardData !== null
  }
  document.addEventListener('copy', put, { capture: true })
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing has replaced it on plain HTTP
  const done = document.execCommand('copy')
  document.removeEventListener('copy', put, { capture: true })
  return done && set
}
