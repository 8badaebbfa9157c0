import type { Item } from '@plenum/sdk/chat'
import { createMemo, createSignal, For, Show, untrack } from 'solid-js'
import { dayName, moment, relative, time } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { between, isNamesake, nameApart, personName, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button } from '../ui/Button.tsx'
import { HoverCard } from '../ui/HoverCard.tsx'
import { Icon } from '../ui/Icon.tsx'
import { checkIcon, chevronRightIcon, circleAlertIcon, clockIcon, pinIcon } from '../ui/icons.ts'
import { Beginning } from './Beginning.tsx'
import { Body } from './Body.tsx'
import type { Editing } from './editing.ts'
import { Editor } from './Editor.tsx'
import { happened } from './happened.ts'
import { MessageTools } from './MessageTools.tsx'
import { calledBy, callsReader } from './named.ts'
import { PersonCard } from './PersonCard.tsx'
import { openThread } from './places.ts'
import { Reactions } from './Reactions.tsx'
import type { Room } from './room.ts'
import type { Row } from './rows.ts'
import { text } from './text.ts'
import './message.css'

/** unfolded are the rows of tall messages of which somebody asked for all: they are so again when they are made again. */
const unfolded = new WeakSet<Row>()

export interface RowProps {
  readonly room: Room
  readonly row: Row
  readonly name: string
  /** The offset of the message that was jumped to. */
  readonly marked: number | undefined
  readonly editing: Editing
}

/** MessageRow shows one row of a room. What kind it is stays. */
export function MessageRow(props: RowProps) {
  const model = useModel()
  const of = () => between(model.channel(props.room.channel))
  const said = () => props.room.items()?.some(({ message }) => message.system === undefined)
  const row = untrack(() => props.row)
  switch (row.kind) {
    case 'message':
      return <Said of={props} item={row.item()} first={row.first()} />
    case 'event':
      return <Happened item={row.item()} between={of()} />
    case 'day':
      return (
        <div class="day" role="separator" aria-label={dayName(row.ms, Date.now())}>
          <span>{dayName(row.ms, Date.now())}</span>
        </div>
      )
    case 'unread':
      return (
        <div class="fresh" role="separator" aria-label={text().fresh}>
          <span>{text().fresh}</span>
        </div>
      )
    case 'begin':
      return (
        <Show when={said()} fallback={<Beginning name={props.name} between={of()} />}>
          <p class="begin">{of() ? text().beginWith(props.name) : text().begin(props.name)}</p>
        </Show>
      )
  }
}

/** Happened is a message of the system: who came, what was changed. */
function Happened(props: { readonly item: Item; readonly between: boolean }) {
  const model = useModel()
  const name = (id: string) => nameApart(model, id, text().nobody)
  const words = () => `${name(props.item.message.author)} ${happened(props.item.message, name, props.between)}`
  // Names that come later have no more room than one line: none is broken anew while it is read.
  const late = untrack(() => {
    let unmet = false
    const meet = (id: string) => {
      unmet ||= model.person(id) === undefined
      return id
    }
    meet(props.item.message.author)
    happened(props.item.message, meet, props.between)
    return unmet
  })
  return (
    <p class="happened" classList={{ 'happened-late': late }}>
      <span classList={{ clip: late }} data-tip={late ? words() : undefined}>
        {words()}
      </span>
      <At ms={props.item.message.timeMs} class="message-time" tip />
    </p>
  )
}

function Said(props: { readonly of: RowProps; readonly item: Item; readonly first: boolean }) {
  const model = useModel()
  const shell = useShell()
  const message = () => props.item.message
  const name = () => personName(model.person(message().author), text().nobody)
  const namesake = () => {
    const person = model.person(message().author)
    return person && isNamesake(model, person) && person
  }
  const editing = () => props.of.editing.offset() === message().offset
  const [near, setNear] = createSignal(false)
  const toThread = () => openThread(shell, props.of.room.channel, message().root || message().offset)
  const written = createMemo((before: boolean) => before || props.item.state !== 'sent', false)
  const thread = () => {
    const { thread } = message()
    return props.of.room.root === 0 && thread !== undefined && thread.replies > 0 && thread
  }

  const edited = () => {
    const { edits, editedMs } = message()
    return edits > 0 ? { ms: editedMs, times: edits } : undefined
  }
  /** Most messages have nothing below their words. */
  const below = () => written() || thread() || props.item.changes.length > 0 || message().reactions.length > 0

  // Conditions stand here as they are, without <Show>: it makes three computations of each, and rows are what a switch of channels makes and forgets most of.
  return (
    <article
      class="message"
      classList={{
        'message-joined': !props.first,
        'message-mention': callsReader(model, props.of.room.channel, message()),
        'message-marked': props.of.marked === message().offset,
        'message-pending': props.item.state !== 'sent',
      }}
      data-offset={message().offset}
      data-state={props.item.state}
      aria-label={`${name()}, ${time(message().timeMs)}`}
      onPointerOver={() => setNear(true)}
      onFocusIn={() => setNear(true)}
    >
      {props.first || near() ? <div class="message-side">{props.first ? <Avatar id={message().author} name={name()} size="large" /> : <At ms={message().timeMs} class="message-hover-time" />}</div> : undefined}
      {props.first ? (
        <header class="message-head">
          <HoverCard label={name()} card={() => <PersonCard id={message().author} />}>
            <span class="message-author">{name()}</span>
          </HoverCard>
          <Show when={namesake()}>{(person) => <span class="message-handle">@{person().handle}</span>}</Show>
          <At ms={message().timeMs} class="message-time" tip />
          <Show when={message().pinned}>
            <span data-tip={text().pinned}>
              <Icon path={pinIcon} small />
              <span class="unseen">{text().pinned}</span>
            </span>
          </Show>
        </header>
      ) : message().pinned ? (
        <p class="message-pinned">
          <Icon path={pinIcon} small />
          {text().pinned}
        </p>
      ) : undefined}
      {message().deleted ? (
        <p class="message-gone">{text().deleted}</p>
      ) : editing() ? (
        <Editor text={message().text} editing={props.of.editing} between={between(model.channel(props.of.room.channel))} onSave={(to) => props.of.room.edit(message().offset, to)} />
      ) : (
        <Body text={message().text} called={calledBy(model, props.of.room.channel, props.item)} whole={unfolded.has(props.of.row)} onWhole={() => unfolded.add(props.of.row)} edited={edited()} />
      )}
      {below() ? (
        <>
          <Sent item={props.item} room={props.of.room} written={written()} editing={editing()} />
          <Unchanged item={props.item} room={props.of.room} />
          <Reactions item={props.item} room={props.of.room} />
          <Show when={thread()}>
            {(thread) => (
              <button type="button" class="thread-summary" onClick={toThread}>
                <span class="unseen">{text().openThread(name())}</span>
                <span class="thread-count">{text().replies(thread().replies)}</span>
                <span class="faint clip">{text().lastReply(relative(thread().lastReplyMs, Date.now()))}</span>
                <Icon path={chevronRightIcon} small mirrored />
              </button>
            )}
          </Show>
        </>
      ) : undefined}
      {props.item.state === 'sent' && !message().deleted && message().offset > 0 && !editing() ? (
        <MessageTools near={near()} onNear={() => setNear(true)} item={props.item} room={props.of.room} onEdit={() => props.of.editing.begin(message().offset)} onThread={toThread} />
      ) : undefined}
    </article>
  )
}

/** At is when a message was said, in Unix ms; `tip`: with its day, to whom the pointer comes. */
function At(props: { readonly ms: number; readonly class: string; readonly tip?: boolean }) {
  return <time class={`${props.class} numbers`} dateTime={new Date(props.ms).toISOString()} data-tip={props.tip ? moment(props.ms) : undefined} textContent={time(props.ms)} />
}

/**
 * Sent says how far a message has come that is written here: beside it, so that nothing moves as it goes out; below it, with what can be done, where it was
 * refused. While it is edited, it is there unseen: made anew, it would be said again.
 */
function Sent(props: { readonly item: Item; readonly room: Room; readonly written: boolean; readonly editing: boolean }) {
  const refused = () => props.item.state === 'refused'
  return (
    <Show when={props.written}>
      <div class="message-state" classList={{ 'message-failed': refused(), 'message-came': props.item.state === 'sent', 'message-hushed': props.editing }} role="status">
        <Icon path={refused() ? circleAlertIcon : props.item.state === 'sent' ? checkIcon : clockIcon} small />
        <span>
          {text().state[props.item.state]}
          {refused() && props.item.cause ? `: ${explain(props.item.cause)}` : ''}
        </span>
        <Show when={refused() ? props.item.seq : undefined}>
          {(seq) => (
            <>
              <Button size="small" onClick={() => props.room.retry(seq())}>
                {text().retry}
              </Button>
              <Button size="small" kind="quiet" onClick={() => props.room.drop(seq())}>
                {text().drop}
              </Button>
            </>
          )}
        </Show>
      </div>
    </Show>
  )
}

/** What is done to a message, as the outbox has it. */
type Refusable = keyof ReturnType<typeof text>['changeRefused']

/** Unchanged says which changes of a message were refused, and why: they are taken back. */
function Unchanged(props: { readonly item: Item; readonly room: Room }) {
  return (
    <For each={props.item.changes.filter(({ pending }) => pending.state === 'refused')}>
      {({ pending, change }) => (
        <div class="message-state message-failed" role="status">
          <Icon path={circleAlertIcon} small />
          <span>
            {text().changeRefused[change.kind as Refusable]}: {explain(pending.cause)}
          </span>
          <Button size="small" onClick={() => props.room.retry(pending.seq)}>
            {text().retry}
          </Button>
          <Button size="small" kind="quiet" onClick={() => props.room.drop(pending.seq)}>
            {text().dismiss}
          </Button>
        </div>
      )}
    </For>
  )
}
