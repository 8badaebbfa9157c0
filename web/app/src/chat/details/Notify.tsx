import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { between, useModel } from '../../model/context.ts'
import type { Channel, NotifyLevel } from '../../model/model.ts'
import { Choice, Switch } from '../../ui/Field.tsx'
import { toast } from '../../ui/toasts.ts'
import { text } from './text.ts'

const levels: readonly NotifyLevel[] = ['default', 'all', 'mentions', 'none']

/** Notify chooses what of a channel notifies, for all of the account's devices. */
export function Notify(props: { readonly channel: Channel }) {
  const model = useModel()
  const direct = () => between(props.channel)
  const set = (change: Partial<Pick<Channel, 'muted' | 'level'>>) => {
    const { id, muted, level } = props.channel
    model.setNotifications(id, { muted, level, ...change }).catch((error: unknown) =>
      toast(text().notify.failed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => set(change) } }),
    )
  }
  const label = (level: NotifyLevel) => (level === 'default' ? text().notify.usual[direct() ? 'direct' : 'named'] : text().notify.levels[level])
  return (
    <section class="details-part">
      <h3 class="details-title">{text().notify.title}</h3>
      <Switch label={text().notify.mute} hint={text().notify.muteHint} checked={props.channel.muted} onChange={(muted) => set({ muted })} />
      <fieldset disabled={props.channel.muted}>
        <legend class="details-label">{text().notify.level}</legend>
        {levels.map((level) => (
          <Choice name={`notify-${props.channel.id}`} label={label(level)} disabled={props.channel.muted} checked={props.channel.level === level} onChange={() => set({ level })} />
        ))}
      </fieldset>
    </section>
  )
}
