import type { Item } from '@plenum/sdk/chat'
import { createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js'
import { Body } from '../chat/Body.tsx'
import { Composer } from '../chat/Composer.tsx'
import { useRooms } from '../chat/context.ts'
import { calledBy } from '../chat/named.ts'
import type { Room } from '../chat/room.ts'
import { text as core } from '../i18n/en.ts'
import { moment, relative } from '../i18n/format.ts'
import { channelName, nameApart, personName, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Badge } from '../ui/Badge.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellOffIcon, checkIcon, cornerDownRightIcon, hashIcon, lockIcon, messageSquareTextIcon } from '../ui/icons.ts'
import { toast } from '../ui/toasts.ts'
import type { Followed } from './inbox.ts'
import { text } from './text.ts'
import './inbox.css'

/** How near to the window, in px, a card reads its thread; and how many replies it shows: of unread ones more. */
const near = '600px 0px'
const shown = 2
const most = 5

/** ThreadCard is a followed thread: its first message, the last replies, and a reply in place. What it shows is read when it comes near. */
export function ThreadCard(props: { readonly channel: string; readonly root: number }) {
  const model = useModel()
  const shell = useShell()
  const thread = () => model.inbox.thread(props.channel, props.root)
  const channel = () => model.channel(props.channel)
  const name = () => {
    const known = channel()
    return known ? channelName(model, known) : ''
  }
  const [seen, setSeen] = createSignal(false)
  let card!: HTMLElement
  onMount(() => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      setSeen(true)
      observer.disconnect()
    }, { rootMargin: near })
    observer.observe(card)
    onCleanup(() => observer.disconnect())
  })
  const open = () => shell.openPanel('thread', { channel: props.channel, root: String(props.root) })
  const unfollow = () => {
    model.inbox.follow(props.channel, props.root, false)
    toast(text().unfollowed(name()), { action: { label: core().undo, run: () => model.inbox.follow(props.channel, props.root, true) } })
  }
  return (
    <Show when={thread()}>
      {(known) => (
        <article class="inbox-card" classList={{ 'inbox-new': known().unread > 0 }} ref={card} aria-label={text().threadIn(name())}>
          <header class="inbox-head">
            <Icon path={channel()?.kind === 'public' ? hashIcon : channel()?.kind === 'private' ? lockIcon : messageSquareTextIcon} small />
            <a class="inbox-channel clip" href={`/t/${props.channel}/${props.root}`}>
              {name()}
            </a>
            <Badge count={known().unread} said={text().unread(known().unread)} />
            <span class="inbox-when clip" data-tip={moment(known().lastReplyMs)}>
              {text().lastReply(relative(known().lastReplyMs, Date.now()))}
            </span>
            <Show when={known().unread > 0}>
              <IconButton icon={checkIcon} label={text().read} onClick={() => model.inbox.read(known())} />
            </Show>
            <IconButton icon={bellOffIcon} label={text().unfollow} onClick={unfollow} />
          </header>
          <Show when={seen()} fallback={<div class="inbox-later" />}>
            <Talk thread={known()} onOpen={open} />
          </Show>
        </article>
      )}
    </Show>
  )
}

function Talk(props: { readonly thread: Followed; readonly onOpen: () => void }) {
  const rooms = useRooms()
  const room = rooms.open(props.thread.channel, props.thread.root, true)
  onCleanup(() => rooms.close(room))
  const first = createMemo(() => room.items()?.find((item) => item.message.offset === props.thread.root))
  const replies = createMemo(() => (room.items() ?? []).filter((item) => item.message.root === props.thread.root && !item.message.system))
  const unread = props.thread.unread // as it was opened: the card keeps its size as one reads
  const last = createMemo(() => replies().slice(-Math.min(most, Math.max(shown, unread))))
  const before = () => Math.max(0, props.thread.replies - last().filter((item) => !item.message.deleted).length)
  const isNew = (item: Item) => props.thread.unread > 0 && item.message.offset > props.thread.read
  return (
    <div class="inbox-talk">
      <Show when={first()} fallback={<div class="inbox-line inbox-later" />}>
        {(item) => <Line channel={props.thread.channel} item={item()} root />}
      </Show>
      <button type="button" class="inbox-open" onClick={() => props.onOpen()}>
        <Icon path={cornerDownRightIcon} small mirrored />
        {before() > 0 ? text().before(before()) : text().open}
      </button>
      <ul>
        <For each={last()}>
          {(item) => (
            <li>
              <Line channel={props.thread.channel} item={item} fresh={isNew(item)} />
            </li>
          )}
        </For>
      </ul>
      <Reply room={room} thread={props.thread} />
    </div>
  )
}

function Line(props: { readonly channel: string; readonly item: Item; readonly root?: boolean; readonly fresh?: boolean }) {
  const model = useModel()
  const message = () => props.item.message
  const name = () => personName(model.person(message().author), message().author)
  return (
    <div class="inbox-line" classList={{ 'inbox-root': props.root ?? false, 'inbox-fresh': props.fresh ?? false }} data-offset={message().offset} data-state={props.item.state}>
      <Avatar id={message().author} name={name()} size={props.root ? 'large' : undefined} />
      <div class="inbox-words">
        <div class="inbox-by">
          <span class="strong clip">{nameApart(model, message().author)}</span>
          <time class="inbox-time numbers" dateTime={new Date(message().timeMs).toISOString()} data-tip={moment(message().timeMs)}>
            {relative(message().timeMs, Date.now())}
          </time>
          <Show when={props.fresh}>
            <span class="unseen">{text().isNew}</span>
          </Show>
        </div>
        <Show when={!message().deleted} fallback={<p class="faint">{text().deleted}</p>}>
          <div class="inbox-text">
            <Body text={message().text} called={calledBy(model, props.channel, props.item)} edited={message().edits > 0 ? { ms: message().editedMs, times: message().edits } : undefined} />
          </div>
        </Show>
      </div>
    </div>
  )
}

/** Reply is a button, and where one writes once it was pressed. Who answers has read. */
function Reply(props: { readonly room: Room; readonly thread: Followed }) {
  const model = useModel()
  const [writing, setWriting] = createSignal(props.room.draft.text() !== '')
  let box!: HTMLDivElement
  const begin = () => {
    setWriting(true)
    model.inbox.read(props.thread)
    box.querySelector('textarea')?.focus()
  }
  return (
    <div class="inbox-reply" ref={box} onKeyDown={(event) => {
      if (event.key !== 'Escape' || event.defaultPrevented || !writing()) return
      event.stopPropagation()
      setWriting(false)
      box.querySelector('button')?.focus()
    }}>
      <Show when={writing()} fallback={<Button size="small" onClick={begin}>{text().reply}</Button>}>
        <Composer room={props.room} label={text().replyHere} onEditLast={() => undefined} />
      </Show>
    </div>
  )
}
