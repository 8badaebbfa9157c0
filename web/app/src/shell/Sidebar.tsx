import { createEffect, createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import { text } from '../i18n/en.ts'
import { between, calls, channelName, counterparts, isUnread, may, personName, useModel } from '../model/context.ts'
import type { Channel } from '../model/model.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Badge } from '../ui/Badge.tsx'
import { IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellOffIcon, chevronDownIcon, compassIcon, hashIcon, lockIcon, pencilIcon, plusIcon, usersIcon } from '../ui/icons.ts'
import { useShell } from './context.ts'
import { newChannel, newDirect } from './module.ts'
import { within } from './paths.ts'
import './sidebar.css'

/** Sidebar lists the places of modules, channels and conversations. Arrows go up and down in it. */
export function Sidebar() {
  const model = useModel()
  const shell = useShell()
  const channels = createMemo(() => model.channels().filter((channel) => !between(channel)))
  const conversations = createMemo(() => model.channels().filter(between))

  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    const items = [...event.currentTarget.querySelectorAll<HTMLElement>('.side-item, .side-fold')]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const next = items[at + (event.key === 'ArrowDown' ? 1 : -1)]
    if (at < 0 || !next) return
    event.preventDefault()
    next.focus()
  }

  return (
    <nav class="sidebar on-ground" aria-label={text().shell.sidebar} data-part onKeyDown={onKeyDown}>
      <ul>
        <For each={shell.registry.places}>
          {(place) => (
            <li>
              <a class="side-item" href={place.path} classList={{ 'side-unread': (place.count?.(model) ?? 0) > 0 }} aria-current={within(shell.path(), place.path) ? 'page' : undefined}>
                <Icon path={place.icon} />
                <span class="side-name clip">{place.title()}</span>
                <Badge count={place.count?.(model) ?? 0} said={text().sidebar.calls(place.count?.(model) ?? 0)} />
              </a>
            </li>
          )}
        </For>
      </ul>
      <Section
        name={text().sidebar.channels}
        empty={text().sidebar.noChannels}
        channels={channels()}
        does={
          <>
            <IconButton icon={compassIcon} label={text().sidebar.browse} onClick={() => shell.go('/browse')} />
            <Show when={may(model, 'chat.create_channel')}>
              <IconButton icon={plusIcon} label={text().sidebar.newChannel} onClick={() => shell.openDialog(newChannel)} />
            </Show>
          </>
        }
      />
      <Section
        name={text().sidebar.direct}
        empty={text().sidebar.noDirect}
        channels={conversations()}
        does={<IconButton icon={plusIcon} label={text().sidebar.newDirect} onClick={() => shell.openDialog(newDirect)} />}
      />
    </nav>
  )
}

function Section(props: { readonly name: string; readonly empty: string; readonly channels: readonly Channel[]; readonly does: JSX.Element }) {
  const model = useModel()
  const shell = useShell()
  const [folded, setFolded] = createSignal(false)
  // Folded, what is new or chosen still shows.
  const shown = () => (folded() ? props.channels.filter((channel) => isUnread(channel) || channel.id === shell.channel()) : props.channels)
  const ids = createMemo(() => shown().map((channel) => channel.id)) // a channel that changes keeps its link, and that its focus
  return (
    <section>
      <header class="side-head">
        <h2>
          <button type="button" class="side-fold" aria-expanded={!folded()} aria-label={text().sidebar.fold(props.name)} onClick={() => setFolded(!folded())}>
            {props.name}
            <Icon path={chevronDownIcon} small />
          </button>
        </h2>
        {props.does}
      </header>
      <Show when={model.ready()} fallback={<SidebarSkeleton />}>
        <ul>
          <For each={ids()}>
            {(id) => (
              <li>
                <Show when={model.channel(id)}>{(channel) => <Item channel={channel()} />}</Show>
              </li>
            )}
          </For>
        </ul>
        <Show when={props.channels.length === 0}>
          <p class="side-empty">{props.empty}</p>
        </Show>
      </Show>
    </section>
  )
}

function SidebarSkeleton() {
  return (
    <div class="side-skeleton" aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  )
}

function Item(props: { readonly channel: Channel }) {
  const model = useModel()
  const shell = useShell()
  const name = () => channelName(model, props.channel)
  const here = createMemo(() => shell.channel() === props.channel.id) // what changes of the channel scrolls nothing
  const count = () => calls(props.channel)
  let item!: HTMLAnchorElement
  createEffect(() => here() && item.scrollIntoView({ block: 'nearest' }))
  return (
    <a
      ref={item}
      class="side-item"
      classList={{ 'side-unread': isUnread(props.channel), 'side-muted': props.channel.muted }}
      href={`/c/${props.channel.id}`}
      aria-current={here() ? 'page' : undefined}
    >
      <ItemSign channel={props.channel} />
      <span class="side-name clip">{name()}</span>
      <Show when={props.channel.kind === 'private'}>
        <span class="unseen">{text().sidebar.private}</span>
      </Show>
      <Show when={isUnread(props.channel)}>
        <span class="unseen">{text().sidebar.unread('', props.channel.unread)}</span>
      </Show>
      <Show when={props.channel.draft && !here()}>
        <span class="side-note">
          <Icon path={pencilIcon} small />
          <span class="unseen">{text().sidebar.draft}</span>
        </span>
      </Show>
      <Show when={props.channel.muted}>
        <span class="side-note">
          <Icon path={bellOffIcon} small />
          <span class="unseen">{text().sidebar.muted}</span>
        </span>
      </Show>
      <Badge count={count()} said={text().sidebar.calls(count())} />
    </a>
  )
}

function ItemSign(props: { readonly channel: Channel }) {
  const model = useModel()
  const other = () => counterparts(model, props.channel)[0] ?? ''
  return (
    <Show when={props.channel.kind === 'direct'} fallback={<Icon path={props.channel.kind === 'group' ? usersIcon : props.channel.kind === 'private' ? lockIcon : hashIcon} />}>
      <Avatar id={other()} name={personName(model.person(other()), other())} presence={model.presence(other())} />
    </Show>
  )
}
