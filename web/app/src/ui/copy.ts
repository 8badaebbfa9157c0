import { text } from '../i18n/en.ts'
import { toast } from './toasts.ts'

/** copy puts a text onto the clipboard, and says so. Where that is forbidden nothing happens: what is to be copied is on the screen. */
export async function copy(words: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(words)
    toast(text().copied)
  } catch {
    // not allowed here
  }
}
