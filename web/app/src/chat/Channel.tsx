import { Show } from 'solid-js'
import { channelName, useModel } from '../model/context.ts'
import type { ScreenProps } from '../module.ts'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Conversation } from './Conversation.tsx'
import { Head } from './Head.tsx'
import { placeOf } from './links.ts'
import { useRights } from './rights.ts'
import { text } from './text.ts'
import './channel.css'

/** Channel is the screen of a channel: its head, what is said in it, and where one writes. */
export default function Channel(props: ScreenProps<{ readonly channel: string; readonly message?: string }>) {
  const model = useModel()
  const rights = useRights(() => model.channel(props.params.channel))
  return (
    <Show when={props.params.channel} keyed>
      {(id) => (
        <Show when={model.channel(id)} fallback={<Gone ready={model.ready()} />}>
          {(channel) => (
            <div class="channel">
              <Conversation channel={id} root={0} name={channel().name ? text().channel(channel().name) : channelName(model, channel())} place={placeOf(props.params.message)} silent={channel().archived ? text().archived : rights()?.post !== false ? undefined : text().postingModerators} head={() => <Head channel={channel()} />} />
            </div>
          )}
        </Show>
      )}
    </Show>
  )
}

function Gone(props: { readonly ready: boolean }) {
  return (
    <Show when={props.ready} fallback={<Skeleton />}>
      <EmptyState title={text().gone} words={text().goneWhy}>
        <a class="button button-primary" href="/browse">
          {text().browse}
        </a>
      </EmptyState>
    </Show>
  )
}
