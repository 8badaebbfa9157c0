import { createMemo, For, Show } from 'solid-js'
import { messagePath } from '../chat/links.ts'
import { moment, relative } from '../i18n/format.ts'
import { plainText } from '../markdown/markdown.ts'
import { groupKnown } from '../model/called.ts'
import { channelName, nameApart, personName, useModel } from '../model/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import type { Named } from './inbox.ts'
import { Older } from './Older.tsx'
import { text } from './text.ts'

/** Mentions are messages that name the account, or a group that it is in; each leads to where it stands. */
export function Mentions() {
  const model = useModel()
  const keys = createMemo(() => model.inbox.mentions().map((mention) => mention.key))
  const byKey = createMemo(() => new Map(model.inbox.mentions().map((mention) => [mention.key, mention])))
  return (
    <>
      <ul class="inbox-mentions">
        <For each={keys()} fallback={<li><EmptyState title={text().noMentions} words={text().noMentionsWhy} /></li>}>
          {(key) => (
            <Show when={byKey().get(key)}>
              {(mention) => (
                <li>
                  <MentionRow mention={mention()} />
                </li>
              )}
            </Show>
          )}
        </For>
      </ul>
      <Older what="mentions" />
    </>
  )
}

function MentionRow(props: { readonly mention: Named }) {
  const model = useModel()
  const name = () => personName(model.person(props.mention.author), props.mention.author)
  const group = () => groupKnown(model, props.mention.group)
  const channel = () => model.channel(props.mention.channel)
  const message = () => model.inbox.message(props.mention.channel, props.mention.offset)
  const path = () => messagePath(props.mention.channel, props.mention.offset, message()?.alsoInChannel ? 0 : props.mention.root)
  const where = () => {
    const known = channel()
    return known === undefined ? '' : known.name ? text().inChannel(known.name) : channelName(model, known)
  }
  return (
    <a class="inbox-mention" classList={{ 'inbox-unread': props.mention.unread }} href={path()}>
      <Avatar id={props.mention.author} name={name()} size="large" />
      <span class="inbox-words">
        <span class="inbox-by">
          <span class="strong clip">{nameApart(model, props.mention.author)}</span>
          <span class="inbox-when clip">{props.mention.root > 0 ? text().inThread(where()) : where()}</span>
          <Show when={props.mention.group}>
            <span class="pill" data-tip={group()?.name}>{group() ? `@${group()?.handle}` : text().aGroup}</span>
          </Show>
          <time class="inbox-time numbers" dateTime={new Date(props.mention.timeMs).toISOString()} data-tip={moment(props.mention.timeMs)}>
            {relative(props.mention.timeMs, Date.now())}
          </time>
          <Show when={props.mention.unread}>
            <span class="unseen">{text().isNew}</span>
          </Show>
        </span>
        <span class="inbox-said" dir="auto">
          <Show when={message()} fallback={text().notHere}>
            {(said) => (said().deleted ? text().deleted : plainText(said().text).trim())}
          </Show>
        </span>
      </span>
    </a>
  )
}
