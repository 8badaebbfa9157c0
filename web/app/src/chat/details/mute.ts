/** Muting by the palette and the keyboard, as the panel of details does it: it says what it has done, for nothing else shows it, and can be taken back. */
import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { channelName } from '../../model/context.ts'
import type { Model } from '../../model/model.ts'
import { toast } from '../../ui/toasts.ts'
import { text } from './text.ts'

/** mute mutes a channel, or unmutes it; without `muted` the other of what it is. Its level stays. */
export async function mute(model: Model, id: string, muted?: boolean): Promise<void> {
  const channel = model.channel(id)
  if (channel === undefined) return
  const to = muted ?? !channel.muted
  const name = channelName(model, channel)
  try {
    await model.setNotifications(id, { muted: to, level: channel.level })
    toast(to ? text().notify.muted(name) : text().notify.unmuted(name), { action: { label: core().undo, run: () => void mute(model, id, !to) } })
  } catch (error) {
    toast(text().notify.failed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void mute(model, id, to) } })
  }
}
