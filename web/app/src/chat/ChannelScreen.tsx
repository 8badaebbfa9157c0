import { For, Show, type JSX } from 'solid-js'
import { number } from '../i18n/format.ts'
import { channelName, counterparts, personName, useModel } from '../model/context.ts'
import type { Channel } from '../model/model.ts'
import type { ScreenProps } from '../module.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { Banner } from '../ui/Banner.tsx'
import { IconButton } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellOffIcon, hashIcon, infoIcon, lockIcon, usersIcon } from '../ui/icons.ts'
import { Composer } from './Composer.tsx'
import { text } from './text.ts'
import './channel.css'

export interface ChannelScreenProps extends ScreenProps<{ readonly channel: string }> {
  /** The messages' list; absent: they are not there yet. */
  readonly list?: JSX.Element
}

/** ChannelScreen is a channel: its head, its messages and where one writes. */
export default function ChannelScreen(props: ChannelScreenProps) {
  const model = useModel()
  const channel = () => model.channel(props.params.channel)
  return (
    <Show when={channel()} fallback={<Gone ready={model.ready()} />}>
      {(found) => (
        <div class="channel">
          <Head channel={found()} />
          <section class="channel-list" aria-label={text().messages(channelName(model, found()))} tabIndex={0}>
            {props.list ?? <Skeleton />}
          </section>
          <Show
            when={!found().archived}
            fallback={
              <div class="channel-archived">
                <Banner>{text().archived}</Banner>
              </div>
            }
          >
            <Composer label={text().compose(found().name ? text().channel(found().name) : channelName(model, found()))} />
          </Show>
        </div>
      )}
    </Show>
  )
}

function Head(props: { readonly channel: Channel }) {
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
          {(id) => `${model.presence(id()).emoji} ${presenceWords(model.presence(id()))}`.trim()}
        </Show>
      </p>
      <Show when={props.channel.kind !== 'direct'}>
        <button type="button" class="channel-members" data-tip={text().members(props.channel.members)}>
          <span class="unseen">{text().members(props.channel.members)}</span>
          <span class="faces" aria-hidden="true">
            <For each={(props.channel.people.length > 0 ? props.channel.people : model.people().map((person) => person.id)).slice(0, 3)}>
              {(id) => <Avatar id={id} name={personName(model.person(id), id)} />}
            </For>
          </span>
          <span class="numbers" aria-hidden="true">
            {number(props.channel.members)}
          </span>
        </button>
      </Show>
      <IconButton icon={infoIcon} label={text().details} />
    </header>
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
