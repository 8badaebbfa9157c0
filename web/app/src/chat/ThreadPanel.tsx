import { Show, type JSX } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { channelName, useModel } from '../model/context.ts'
import type { PanelProps } from '../module.ts'
import { IconButton } from '../ui/Button.tsx'
import { Skeleton } from '../ui/Empty.tsx'
import { xIcon } from '../ui/icons.ts'
import { Composer } from './Composer.tsx'
import { text } from './text.ts'
import './channel.css'

export interface ThreadPanelProps extends PanelProps<{ readonly channel: string; readonly root: string }> {
  /** The thread's messages; absent: they are not there yet. */
  readonly list?: JSX.Element
}

/** ThreadPanel is a thread beside its channel. */
export default function ThreadPanel(props: ThreadPanelProps) {
  const model = useModel()
  return (
    <div class="channel">
      <header class="channel-head">
        <h2 class="channel-name">{text().thread}</h2>
        <p class="channel-topic clip">
          <Show when={model.channel(props.params.channel)}>{(channel) => channelName(model, channel())}</Show>
        </p>
        <IconButton icon={xIcon} label={core().shell.closePane} keys="Escape" onClick={() => props.onClose()} />
      </header>
      <section class="channel-list" aria-label={text().thread} tabIndex={0}>
        {props.list ?? <Skeleton rows={3} />}
      </section>
      <Composer label={text().reply} />
    </div>
  )
}
