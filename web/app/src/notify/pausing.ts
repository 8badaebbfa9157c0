/** Pausing notifications: the account is not to be disturbed then, on all devices, and others see it. */
import { text } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { account } from '../model/context.ts'
import type { Model } from '../model/model.ts'
import { toast } from '../ui/toasts.ts'
import { endOf, pausedWords, type Pause } from './pause.ts'

/** pause begins now. What one says of oneself stays, but ends with it: the service has one end for both. */
export async function pause(model: Model, how: Pause): Promise<void> {
  const until = endOf(how, Date.now())
  await choose(model, 'silent', until, pausedWords(until), () => void pause(model, how))
}

export async function resume(model: Model): Promise<void> {
  await choose(model, 'automatic', undefined, text().account.resumed, () => void resume(model))
}

async function choose(model: Model, state: 'silent' | 'automatic', until: number | undefined, said: string, again: () => void): Promise<void> {
  const { emoji, text: words } = model.presence(account(model)?.me ?? '')
  try {
    await model.profile.setStatus({ state, emoji, text: words, until })
    toast(said)
  } catch (error) {
    toast(text().account.pauseFailed, { kind: 'failure', cause: explain(error), action: { label: text().retry, run: again } })
  }
}
