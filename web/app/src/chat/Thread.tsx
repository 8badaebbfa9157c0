import { Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { channelName, useModel } from '../model/context.ts'
import type { PanelProps } from '../module.ts'
import { IconButton } from '../ui/Button.tsx'
import { xIcon } from '../ui/icons.ts'
import { Conversation } from './Conversation.tsx'
import { text } from './text.ts'
import './channel.css'

/** Thread is a message and its replies, beside its channel. */
export default function Thread(props: PanelProps<{ readonly channel: string; readonly root: string }>) {
  const model = useModel()
  return (
    <Show when={`${props.params.channel}/${props.params.root}`} keyed>
      {(id) => (
        <Show when={model.channel(props.params.channel)}>
          {(channel) => (
            <div class="channel" data-thread={id}>
              <Conversation
                channel={props.params.channel}
                root={Number(props.params.root)}
                name={channelName(model, channel())}
                place={{ kind: 'end' }}
                silent={channel().archived ? text().archived : undefined}
                head={() => (
                  <header class="channel-head">
                    <h2 class="channel-name">{text().thread}</h2>
                    <p class="channel-topic clip">{channelName(model, channel())}</p>
                    <IconButton icon={xIcon} label={core().shell.closePane} keys="Escape" onClick={() => props.onClose()} />
                  </header>
                )}
              />
            </div>
          )}
        </Show>
      )}
    </Show>
  )
}
