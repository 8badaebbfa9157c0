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
        <div class="message-body" dir="auto">
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
            <button type="button" class="thread-summary" onClick={() => props.onThread(props.message)}>
              <span class="unseen">{text().openThread(name())}</span>
              <span class="faces" aria-hidden="true">
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
