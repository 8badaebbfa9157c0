import { Show } from 'solid-js'
import { number } from '../i18n/format.ts'
import { channelName, counterparts, useModel } from '../model/context.ts'
import type { Channel } from '../model/model.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon, lockIcon, usersIcon } from '../ui/icons.ts'
import type { Place, Room } from './room.ts'
import { text } from './text.ts'

/** Header says where one is: the channel and its topic, or the person and how they are. */
export function Header(props: { readonly channel: Channel; readonly room: Room; readonly onJump: (to: Place) => void }) {
  const model = useModel()
  const other = () => (props.channel.kind === 'direct' ? counterparts(model, props.channel)[0] : undefined)
  return (
    <header class="channel-head">
      <Show when={other()} fallback={<Icon path={props.channel.kind === 'public' ? hashIcon : props.channel.kind === 'private' ? lockIcon : usersIcon} />}>
        {(id) => <Avatar id={id()} name={channelName(model, props.channel)} presence={model.presence(id())} />}
      </Show>
      <h1 class="channel-name">{channelName(model, props.channel)}</h1>
      <p class="channel-topic">
        <Show when={other()} fallback={props.channel.topic}>
          {(id) => presenceWords(model.presence(id()))}
        </Show>
      </p>
      <Show when={props.channel.kind !== 'direct'}>
        <span class="channel-members" data-tip={text().members(props.channel.members)}>
          <Icon path={usersIcon} small />
          {number(props.channel.members)}
          <span class="unseen">{text().members(props.channel.members)}</span>
        </span>
      </Show>
      <label class="channel-date">
        <span class="unseen">{text().jumpToDate}</span>
        <input
          type="date"
          data-tip={text().jumpToDate}
          max={today()}
          onChange={(event) => {
            const ms = new Date(`${event.currentTarget.value}T00:00`).getTime()
            if (!Number.isNaN(ms)) props.onJump({ kind: 'time', ms })
          }}
        />
      </label>
    </header>
  )
}

/** today is the day here, as a field of dates writes it. */
function today(): string {
  const now = new Date()
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((n) => String(n).padStart(2, '0')).join('-')
}
