import { createEffect, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { channelName, useModel } from '../model/context.ts'
import type { Channel } from '../model/model.ts'
import type { PanelProps } from '../module.ts'
import { coarse } from '../shell/media.ts'
import { IconButton } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { bellIcon, bellOffIcon, xIcon } from '../ui/icons.ts'
import { Conversation } from './Conversation.tsx'
import { offsetOf, placeOf } from './links.ts'
import { enteredThread, enterThread } from './places.ts'
import { text } from './text.ts'
import './channel.css'

/** Thread is a message and its replies, beside its channel. */
export default function Thread(props: PanelProps<{ readonly channel: string; readonly root: string; readonly reply?: string }>) {
  const model = useModel()
  const root = () => offsetOf(props.params.root)
  /** head is of a thread whose channel one is in; of others there is nothing but a way out. */
  const head = (channel?: Channel) => (
    <header class="channel-head">
      <h2 class="channel-name">{text().thread}</h2>
      <p class="channel-topic clip">{channel && <a href={`/t/${props.params.channel}/${props.params.root}`}>{channelName(model, channel)}</a>}</p>
      <Show when={channel && root()}>{(root) => <Follow channel={props.params.channel} root={root()} />}</Show>
      <IconButton icon={xIcon} label={core().shell.closePane} keys="Escape" onClick={() => props.onClose()} />
    </header>
  )
  /** enter has what is typed go here, as soon as this is there. */
  const enter = (element: HTMLElement, id: string) =>
    createEffect(() => {
      if (enteredThread() !== id) return
      enterThread()
      if (!coarse()) element.querySelector<HTMLElement>('[data-types]')?.focus() // a keyboard on the glass would hide what one came to read
    })
  return (
    <Show when={`${props.params.channel}/${props.params.root}`} keyed>
      {(id) => (
        <Show
          when={model.channel(props.params.channel)}
          fallback={
            <div class="channel">
              {head()}
              <Show when={model.ready()} fallback={<Skeleton rows={3} />}>
                <EmptyState title={text().threadOutside} words={text().threadOutsideWhy}>
                  <a class="button button-primary" href={`/c/${props.params.channel}`}>
                    {text().toChannel}
                  </a>
                </EmptyState>
              </Show>
            </div>
          }
        >
          {(channel) => (
            <div ref={(element) => enter(element, id)} class="channel" data-thread={id}>
              <Show
                when={root()}
                fallback={
                  <>
                    {head(channel())}
                    <EmptyState title={text().noMessage} words={text().noThreadWhy} />
                  </>
                }
              >
                {(root) => (
                  <Conversation
                    channel={props.params.channel}
                    root={root()}
                    name={channelName(model, channel())}
                    place={placeOf(props.params.reply)}
                    silent={channel().archived ? text().archived : undefined}
                    head={() => head(channel())}
                  />
                )}
              </Show>
            </div>
          )}
        </Show>
      )}
    </Show>
  )
}

/** Follow says whether new replies of a thread come into the inbox, and changes it. */
function Follow(props: { readonly channel: string; readonly root: number }) {
  const model = useModel()
  const following = () => model.inbox.thread(props.channel, props.root)?.following ?? false
  return <IconButton icon={following() ? bellIcon : bellOffIcon} label={following() ? text().unfollow : text().follow} onClick={() => model.inbox.follow(props.channel, props.root, !following())} />
}
