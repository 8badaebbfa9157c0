import type { Item } from '@plenum/sdk/chat'
import type { Reaction } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { For, Show } from 'solid-js'
import { EmojiButton } from '../emoji/Opener.tsx'
import { used } from '../emoji/recent.ts'
import { list } from '../i18n/format.ts'
import { account, nameApart, useModel } from '../model/context.ts'
import { Icon } from '../ui/Icon.tsx'
import { faceSlightlySmilingPlusIcon } from '../ui/icons.ts'
import { reacted, signOf, whoReacted } from './reactions.ts'
import type { Room } from './room.ts'
import { text } from './text.ts'

/** Reactions stand below a message: each says who reacted, takes one's own back or adds it. */
export function Reactions(props: { readonly item: Item; readonly room: Room }) {
  const model = useModel()
  const message = () => props.item.message
  const who = (reaction: Reaction) =>
    text().reactedWith(
      list(whoReacted(reaction, account(model)?.me, { you: text().you, others: text().others, name: (id) => nameApart(model, id, text().nobody) })),
      signOf(reaction.emoji),
    )
  return (
    <Show when={message().reactions.length > 0}>
      <ul class="reactions">
        <For each={message().reactions.map((reaction) => reaction.emoji)}>
          {(emoji) => (
            <Show when={message().reactions.find((reaction) => reaction.emoji === emoji)}>
              {(reaction) => (
                <li>
                  <button
                    type="button"
                    class="reaction"
                    aria-pressed={reaction().mine}
                    aria-label={text().reaction(signOf(emoji), reaction().count, reaction().mine)}
                    aria-description={who(reaction())}
                    data-tip={who(reaction())}
                    onClick={() => props.room.react(message().offset, emoji, !reaction().mine)}
                  >
                    <span class="reaction-sign" aria-hidden="true">
                      {signOf(emoji)}
                    </span>
                    <span class="numbers" aria-hidden="true">
                      {reaction().count}
                    </span>
                  </button>
                </li>
              )}
            </Show>
          )}
        </For>
        <li>
          <EmojiButton
            class="reaction reaction-more"
            label={text().anotherReaction}
            align="start"
            onPick={(emoji) => {
              used(emoji)
              props.room.react(message().offset, emoji, !reacted(message(), emoji))
            }}
          >
            <Icon path={faceSlightlySmilingPlusIcon} small />
          </EmojiButton>
        </li>
      </ul>
    </Show>
  )
}
