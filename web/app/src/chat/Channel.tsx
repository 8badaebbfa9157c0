import { Show } from 'solid-js'
import { number } from '../i18n/format.ts'
import { channelName, counterparts, personName, useModel } from '../model/context.ts'
import type { Channel as Told } from '../model/model.ts'
import type { ScreenProps } from '../module.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellOffIcon, hashIcon, lockIcon, usersIcon } from '../ui/icons.ts'
import { Conversation, type Jump } from './Conversation.tsx'
import { placeOf } from './links.ts'
import { text } from './text.ts'
import './channel.css'

/** Channel is the screen of a channel: its head, what is said in it, and where one writes. */
export default function Channel(props: ScreenProps<{ readonly channel: string; readonly message?: string }>) {
  const model = useModel()
  return (
    <Show when={props.params.channel} keyed>
      {(id) => (
        <Show when={model.channel(id)} fallback={<Gone ready={model.ready()} />}>
          {(channel) => (
            <div class="channel">
              <Conversation channel={id} root={0} name={channel().name ? text().channel(channel().name) : channelName(model, channel())} place={placeOf(props.params.message)} archived={channel().archived} head={(jump) => <Head channel={channel()} jump={jump} />} />
            </div>
          )}
        </Show>
      )}
    </Show>
  )
}

function Head(props: { readonly channel: Told; readonly jump: Jump }) {
  const model = useModel()
  const other = () => (props.channel.kind === 'direct' ? counterparts(model, props.channel)[0] : undefined)
  return (
    <header class="channel-head">
      <Show when={other()} fallback={<Icon path={props.channel.kind === 'public' ? hashIcon : props.channel.kind === 'group' ? usersIcon : lockIcon} />}>
        {(id) => <Avatar id={id()} name={personName(model.person(id()), id())} presence={model.presence(id())} />}
      </Show>
      <h1 class="channel-name clip">{channelName(model, props.channel)}</h1>
      <Show when={props.channel.muted}>
        <Icon path={bellOffIcon} small />
      </Show>
      <p class="channel-topic clip">
        <Show when={other()} fallback={props.channel.topic}>
          {(id) => <>{`${model.presence(id()).emoji} ${presenceWords(model.presence(id()))}`.trim()}</>}
        </Show>
      </p>
      <DatePicker jump={props.jump} />
      <Show when={props.channel.kind !== 'direct'}>
        <span class="channel-members" data-tip={text().members(props.channel.members)}>
          <Icon path={usersIcon} small />
          <span class="numbers" aria-hidden="true">
            {number(props.channel.members)}
          </span>
          <span class="unseen">{text().members(props.channel.members)}</span>
        </span>
      </Show>
    </header>
  )
}

/** DatePicker goes to the first message of a day. */
function DatePicker(props: { readonly jump: Jump }) {
  return (
    <input
      class="channel-date"
      type="date"
      aria-label={text().jumpToDate}
      data-tip={text().jumpToDate}
      max={today()}
      onChange={(event) => {
        const ms = new Date(`${event.currentTarget.value}T00:00`).getTime()
        if (!Number.isNaN(ms)) props.jump({ kind: 'time', ms })
      }}
    />
  )
}

/** today is the day here, as a field of dates writes it. */
function today(): string {
  const now = new Date()
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((n) => String(n).padStart(2, '0')).join('-')
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
