/** Pausing notifications: the account is not to be disturbed then, on all devices, and others see it. */
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import type { Model } from '../model/model.ts'
import { arrowLeftIcon, clockIcon } from '../ui/icons.ts'
import type { MenuItem } from '../ui/Menu.tsx'
import { toast } from '../ui/toasts.ts'
import { endOf, pauses, type Pause } from './durations.ts'
import { pausedWords } from './pause.ts'
import { text } from './text.ts'

/** pause begins now. What one says of oneself stays, but ends with it, and it says so: the service has one end for both. */
export async function pause(model: Model, how: Pause): Promise<void> {
  const until = endOf(how, Date.now())
  await choose(model, 'silent', until, pausedWords(until), () => void pause(model, how))
}

export async function resume(model: Model): Promise<void> {
  await choose(model, 'automatic', undefined, text().resumed, () => void resume(model))
}

async function choose(model: Model, state: 'silent' | 'automatic', until: number | undefined, said: string, again: () => void): Promise<void> {
  try {
    const { emoji, text: words } = model.status() ?? (await model.profile.status())
    await model.profile.setStatus({ state, emoji, text: words, until })
    const status = `${emoji} ${words}`.trim()
    toast(status === '' || until === undefined ? said : text().statusToo(said, status))
  } catch (error) {
    toast(text().pauseFailed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: again } })
  }
}

/** pauseItems are the items of a menu that pauses; with `back`, one of a menu that has others, too. */
export function pauseItems(model: Model, back?: () => void): readonly MenuItem[] {
  const items: readonly MenuItem[] = pauses.map((how) => ({ label: text().pauses[how], icon: clockIcon, run: () => void pause(model, how) }))
  return back ? [...items, 'line', { label: text().back, icon: arrowLeftIcon, stays: true, run: back }] : items
}
