import { Show } from 'solid-js'
import { channelName, useModel } from '../model/context.ts'
import type { PanelProps } from '../module.ts'
import { IconButton } from '../ui/Button.tsx'
import { text as core } from '../i18n/en.ts'
import { xIcon } from '../ui/icons.ts'
import { Conversation } from './Channel.tsx'
import { text } from './text.ts'

/** Thread is the pane of one message and its replies. */
export default function Thread(props: PanelProps<{ readonly channel: string; readonly root: string }>) {
  const model = useModel()
  const key = () => `${props.params.channel}/${props.params.root}`
  return (
    <Show when={key()} keyed>
      {(_) => (
        <Show when={model.channel(props.params.channel)}>
          {(channel) => (
            <section class="channel thread" aria-label={text().thread}>
              <Conversation
                channel={props.params.channel}
                root={Number(props.params.root)}
                name={channelName(model, channel())}
                place={{ kind: 'end' }}
                closed={channel().archived}
                header={() => (
                  <header class="channel-head">
                    <h2 class="channel-name">{text().thread}</h2>
                    <p class="channel-topic">{channelName(model, channel())}</p>
                    <IconButton icon={xIcon} label={core().shell.closePane} keys="Escape" onClick={() => props.onClose()} />
                  </header>
                )}
              />
            </section>
          )}
        </Show>
      )}
    </Show>
  )
}
