<<<<<<< HEAD
import type { Item } from '@plenum/sdk/chat'
import { createSignal, For, Match, Show, Switch } from 'solid-js'
import { dayName, list, moment, relative, time } from '../i18n/format.ts'
import { account, may, personName, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { ellipsisIcon, faceSlightlySmilingPlusIcon, pinIcon, replyIcon } from '../ui/icons.ts'
import { Menu, type MenuItem } from '../ui/Menu.tsx'
import { toast } from '../ui/toasts.ts'
import { Body } from './Body.tsx'
import { Editor } from './Editor.tsx'
import { happened } from './happened.ts'
import type { Room } from './room.ts'
import type { Row } from './rows.ts'
import { text } from './text.ts'
import './message.css'

export interface RowProps {
  readonly room: Room
  readonly row: Row
  /** The offset of the message that was jumped to. */
  readonly marked: number | undefined
  readonly name: string
}

/** MessageRow shows one row of a room. */
export function MessageRow(props: RowProps) {
  return (
    <Switch>
      <Match when={props.row.kind === 'message' && props.row}>{(row) => <Said {...props} item={row().item} first={row().first} />}</Match>
      <Match when={props.row.kind === 'event' && props.row}>{(row) => <Happened item={row().item} />}</Match>
      <Match when={props.row.kind === 'day' && props.row}>
        {(row) => (
          <div class="divider" role="separator">
            <span>{dayName(row().ms, Date.now())}</span>
          </div>
        )}
      </Match>
      <Match when={props.row.kind === 'unread'}>
        <div class="divider divider-unread" role="separator">
          <span>{text().unread}</span>
        </div>
      </Match>
      <Match when={props.row.kind === 'begin'}>
        <p class="begin">{text().begin(props.name)}</p>
      </Match>
    </Switch>
  )
}

function Happened(props: { readonly item: Item }) {
  const model = useModel()
  const name = (id: string) => personName(model.person(id), text().nobody)
  return (
    <p class="happened">
      <span>
        {name(props.item.message.author)} {happened(props.item.message, name)}
      </span>
      <time dateTime={new Date(props.item.message.timeMs).toISOString()} title={moment(props.item.message.timeMs)}>
        {time(props.item.message.timeMs)}
      </time>
    </p>
  )
}

function Said(props: RowProps & { readonly item: Item; readonly first: boolean }) {
  const model = useModel()
  const shell = useShell()
  const [editing, setEditing] = createSignal(false)
  const message = () => props.item.message
  const author = () => model.person(message().author)
  const name = () => personName(author(), text().nobody)
  const open = () => shell.go(`/t/${props.room.channel}/${message().root || message().offset}`)

  return (
    <article
      class="message"
      classList={{ 'message-first': props.first, 'message-marked': props.marked === message().offset, 'message-pending': props.item.state !== 'sent' }}
      data-offset={message().offset}
      data-state={props.item.state}
      aria-label={`${name()}, ${time(message().timeMs)}`}
      tabIndex={-1}
    >
      <div class="message-side">
        <Show when={props.first} fallback={<time class="message-time" dateTime={new Date(message().timeMs).toISOString()} title={moment(message().timeMs)}>{time(message().timeMs)}</time>}>
          <Avatar id={message().author} name={name()} size="large" presence={model.presence(message().author)} />
        </Show>
      </div>
      <div class="message-main">
        <Show when={props.first}>
          <header class="message-head">
            <span class="message-author">{name()}</span>
            <time dateTime={new Date(message().timeMs).toISOString()} title={moment(message().timeMs)}>
              {time(message().timeMs)}
            </time>
            <Show when={message().pinned}>
              <span class="message-pinned">
                <Icon path={pinIcon} small />
                {text().pinned}
              </span>
            </Show>
          </header>
        </Show>
        <Show when={!message().deleted} fallback={<p class="message-gone">{text().deleted}</p>}>
          <Show when={editing()} fallback={<Body text={message().text} />}>
            <Editor
              text={message().text}
              onCancel={() => setEditing(false)}
              onSave={(to) => {
                setEditing(false)
                props.room.edit(message().offset, to)
              }}
            />
          </Show>
          <Show when={message().edits > 0 && !editing()}>
            <span class="message-edited" title={message().editedMs > 0 ? moment(message().editedMs) : undefined}>
              {text().edited}
            </span>
          </Show>
        </Show>
        <State item={props.item} room={props.room} />
        <Reactions item={props.item} room={props.room} />
        <Show when={props.room.root === 0 && message().thread}>
          {(thread) => (
            <Show when={thread().replies > 0}>
              <button type="button" class="thread-summary" onClick={open}>
                <strong>{text().replies(thread().replies)}</strong>
                <span>{text().lastReply(relative(thread().lastReplyMs, Date.now()))}</span>
              </button>
            </Show>
          )}
        </Show>
      </div>
      <Show when={props.item.state === 'sent' && !message().deleted && message().offset > 0 && !editing()}>
        <Toolbar item={props.item} room={props.room} onEdit={() => setEditing(true)} onReply={open} />
      </Show>
    </article>
  )
}

/** State says how far a message is, where it isn't sent: in words, for all. */
function State(props: { readonly item: Item; readonly room: Room }) {
  return (
    <Show when={props.item.state !== 'sent' && props.item.state}>
      {(state) => (
        <p class="message-state" data-state={state()} role="status">
          {text().state[state()]}
          <Show when={state() === 'refused' && props.item.seq !== undefined}>
            <span class="message-cause">{props.item.cause?.message}</span>
            <Button size="small" onClick={() => props.room.retry(props.item.seq ?? 0)}>
              {text().retry}
            </Button>
            <Button size="small" kind="quiet" onClick={() => props.room.drop(props.item.seq ?? 0)}>
              {text().drop}
            </Button>
          </Show>
        </p>
      )}
    </Show>
  )
}

function Reactions(props: { readonly item: Item; readonly room: Room }) {
  const model = useModel()
  const names = (ids: readonly string[]) => list(ids.map((id) => personName(model.person(id), text().nobody)))
  return (
    <Show when={props.item.message.reactions.length > 0}>
      <div class="reactions">
        <For each={props.item.message.reactions}>
          {(reaction) => (
            <button
              type="button"
              class="reaction"
              aria-pressed={reaction.mine}
              aria-label={text().reaction(reaction.emoji, names(reaction.users), reaction.count)}
              data-tip={names(reaction.users)}
              onClick={() => props.room.react(props.item.message.offset, reaction.emoji, !reaction.mine)}
            >
              <span aria-hidden="true">{reaction.emoji}</span>
              <span aria-hidden="true">{reaction.count}</span>
            </button>
          )}
        </For>
      </div>
    </Show>
  )
}

const quick = ['👍', '❤️', '😂', '🎉', '👀', '✅']

function Toolbar(props: { readonly item: Item; readonly room: Room; readonly onEdit: () => void; readonly onReply: () => void }) {
  const model = useModel()
  const message = () => props.item.message
  const mine = () => message().author === account(model)?.me
  const link = () => `${window.location.origin}/c/${props.room.channel}/${message().offset}`
  const copy = (what: string) => void navigator.clipboard.writeText(what).then(() => toast(text().copyLink))
  const items = (): MenuItem[] => [
    ...(mine() && may(model, 'chat.edit_own') ? [{ label: text().edit, run: props.onEdit }] : []),
    { label: message().pinned ? text().unpin : text().pin, run: () => props.room.pin(message().offset, !message().pinned) },
    { label: text().markUnread, run: () => props.room.markUnread(message().offset) },
    { label: text().copyText, run: () => copy(message().text) },
    { label: text().copyLink, run: () => copy(link()) },
    ...(mine() || may(model, 'chat.delete_others') ? (['line', { label: text().remove, danger: true, run: () => props.room.remove(message().offset) }] as const) : []),
  ]
  return (
    <div class="message-tools" role="group" aria-label={text().more}>
      <Menu
        label={text().react}
        align="end"
        items={quick.map((emoji) => ({ label: emoji, run: () => props.room.react(message().offset, emoji, true) }))}
        button={(properties) => <IconButton icon={faceSlightlySmilingPlusIcon} label={text().react} {...properties} />}
      />
      <Show when={props.room.root === 0}>
        <IconButton icon={replyIcon} label={text().reply} onClick={() => props.onReply()} />
      </Show>
      <Menu label={text().more} align="end" items={items()} button={(properties) => <IconButton icon={ellipsisIcon} label={text().more} {...properties} />} />
    </div>
  )
}
||||||| 44eee98
=======
import { For, Show, type JSX } from 'solid-js'
import { moment, relative, time } from '../i18n/format.ts'
import { personName, useModel } from '../model/context.ts'
import type { Id } from '../model/model.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { HoverCard } from '../ui/HoverCard.tsx'
import { Icon } from '../ui/Icon.tsx'
import { chevronRightIcon, circleAlertIcon, clockIcon, ellipsisIcon, faceSlightlySmilingPlusIcon, messageSquareTextIcon, pencilIcon, pinIcon } from '../ui/icons.ts'
import { text } from './text.ts'
import './message.css'

export interface Reaction {
  readonly emoji: string
  readonly count: number
  readonly mine: boolean
}

/** Message is what a row shows of a message. Times are Unix ms. */
export interface Message {
  readonly id: string
  readonly author: Id
  readonly time: number
  readonly body: () => JSX.Element
  readonly edited: boolean
  readonly pinned: boolean
  readonly mentionsMe: boolean
  readonly reactions: readonly Reaction[]
  readonly thread: { readonly replies: number; readonly people: readonly Id[]; readonly last: number } | undefined
  readonly state: 'sent' | 'waiting' | 'sending' | 'failed'
  /** Why it failed. */
  readonly cause?: string
}

export interface MessageRowProps {
  readonly message: Message
  /** It follows one of the same author closely: without face and name. */
  readonly joined: boolean
  readonly onThread: (message: Message) => void
}

export function MessageRow(props: MessageRowProps) {
  const model = useModel()
  const name = () => personName(model.person(props.message.author), props.message.author)
  return (
    <article class="message" classList={{ 'message-joined': props.joined, 'message-mention': props.message.mentionsMe, 'message-pending': props.message.state !== 'sent' }} aria-label={name()}>
      <div class="message-side">
        <Show when={!props.joined} fallback={<time class="message-hover-time numbers" dateTime={new Date(props.message.time).toISOString()}>{time(props.message.time)}</time>}>
          <Avatar id={props.message.author} name={name()} size="large" />
        </Show>
      </div>
      <div class="message-main">
        <Show when={!props.joined}>
          <header class="message-head">
            <HoverCard label={name()} card={() => <PersonCard id={props.message.author} />}>
              <span class="message-author">{name()}</span>
            </HoverCard>
            <time class="message-time numbers" dateTime={new Date(props.message.time).toISOString()} data-tip={moment(props.message.time)}>
              {time(props.message.time)}
            </time>
            <Show when={props.message.pinned}>
              <Icon path={pinIcon} small />
            </Show>
          </header>
        </Show>
        <div class="message-body">
          {props.message.body()}
          <Show when={props.message.edited}>
            <span class="message-edited"> ({text().edited})</span>
          </Show>
        </div>
        <Sent message={props.message} />
        <Show when={props.message.reactions.length > 0}>
          <ul class="reactions">
            <For each={props.message.reactions}>
              {(reaction) => (
                <li>
                  <button type="button" class="reaction" aria-pressed={reaction.mine} aria-label={text().reaction(reaction.emoji, reaction.count, reaction.mine)}>
                    <span aria-hidden="true">{reaction.emoji}</span>
                    <span class="numbers" aria-hidden="true">
                      {reaction.count}
                    </span>
                  </button>
                </li>
              )}
            </For>
            <li>
              <button type="button" class="reaction reaction-add" aria-label={text().does.react} data-tip={text().does.react}>
                <Icon path={faceSlightlySmilingPlusIcon} small />
              </button>
            </li>
          </ul>
        </Show>
        <Show when={props.message.thread}>
          {(thread) => (
            <button type="button" class="thread-summary" aria-label={text().openThread(thread().replies, name())} onClick={() => props.onThread(props.message)}>
              <span class="faces">
                <For each={thread().people.slice(0, 4)}>{(id) => <Avatar id={id} name={personName(model.person(id), id)} />}</For>
              </span>
              <span class="thread-count">{text().replies(thread().replies)}</span>
              <span class="faint clip">{text().lastReply(relative(thread().last, Date.now()))}</span>
              <Icon path={chevronRightIcon} small mirrored />
            </button>
          )}
        </Show>
      </div>
      <div class="message-does" role="toolbar" aria-label={text().does.bar}>
        <IconButton icon={faceSlightlySmilingPlusIcon} label={text().does.react} />
        <IconButton icon={messageSquareTextIcon} label={text().does.reply} onClick={() => props.onThread(props.message)} />
        <IconButton icon={pencilIcon} label={text().does.edit} />
        <IconButton icon={pinIcon} label={text().does.pin} />
        <IconButton icon={ellipsisIcon} label={text().does.more} />
      </div>
    </article>
  )
}

/** Sent says how far a message of one's own has come. */
function Sent(props: { readonly message: Message }) {
  return (
    <Show when={props.message.state !== 'sent'}>
      <div class="message-state" classList={{ 'message-failed': props.message.state === 'failed' }} role="status">
        <Icon path={props.message.state === 'failed' ? circleAlertIcon : clockIcon} small />
        <span>
          {text().state[props.message.state as 'waiting' | 'sending' | 'failed']}
          {props.message.cause && `: ${props.message.cause}`}
        </span>
        <Show when={props.message.state === 'failed'}>
          <Button size="small">{text().retry}</Button>
          <Button size="small" kind="quiet">
            {text().drop}
          </Button>
        </Show>
      </div>
    </Show>
  )
}

function PersonCard(props: { readonly id: Id }) {
  const model = useModel()
  const person = () => model.person(props.id)
  const presence = () => model.presence(props.id)
  return (
    <>
      <div class="person-card">
        <Avatar id={props.id} name={personName(person(), props.id)} size="huge" presence={presence()} />
        <div>
          <div class="person-card-name">{personName(person(), props.id)}</div>
          <div class="faint">@{person()?.handle}</div>
        </div>
      </div>
      <Show when={person()?.title}>
        <div>{person()?.title}</div>
      </Show>
      <div class="soft">
        {presence().emoji} {presenceWords(presence())}
      </div>
    </>
  )
}

/** DayDivider is between messages of different days. */
export function DayDivider(props: { readonly name: string }) {
  return (
    <div class="day" role="separator" aria-label={props.name}>
      <span>{props.name}</span>
    </div>
  )
}

/** UnreadDivider is above the first message that wasn't read. */
export function UnreadDivider() {
  return (
    <div class="fresh" role="separator" aria-label={text().fresh}>
      <span>{text().fresh}</span>
    </div>
  )
}
>>>>>>> next-ui
