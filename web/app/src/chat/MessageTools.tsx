import type { Item } from '@plenum/sdk/chat'
import { createSignal, For, Show } from 'solid-js'
import { EmojiButton } from '../emoji/Opener.tsx'
import { quick, used } from '../emoji/recent.ts'
import { account, may, useModel } from '../model/context.ts'
import { IconButton } from '../ui/Button.tsx'
import { copy } from '../ui/copy.ts'
import { Confirm } from '../ui/Confirm.tsx'
import { Icon } from '../ui/Icon.tsx'
import { copyIcon, ellipsisIcon, faceSlightlySmilingPlusIcon, linkIcon, messageSquareTextIcon, pencilIcon, pinIcon, trashIcon, bellIcon } from '../ui/icons.ts'
import { Menu, type MenuItem } from '../ui/Menu.tsx'
import { messagePath } from './links.ts'
import { reacted } from './reactions.ts'
import { useRights } from './rights.ts'
import type { Room } from './room.ts'
import { text } from './text.ts'

/** How many reactions are one press away; all others come from the picker. */
const handy = 3

/**
 * MessageTools is what can be done with a message that is sent. It is made when somebody comes near: by the pointer (`near`), or by the focus, for which a button
 * stands in its place. A list of messages is mostly looked at, and these would be most of its elements.
 */
export function MessageTools(props: ToolsProps & { readonly near: boolean; readonly onNear: () => void }) {
  const enter = (event: FocusEvent & { readonly currentTarget: HTMLElement }) => {
    const from = event.relatedTarget
    const back = from instanceof Node && (event.currentTarget.compareDocumentPosition(from) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0
    const around = event.currentTarget.parentElement
    props.onNear()
    const buttons = around?.querySelectorAll<HTMLElement>('.message-does > button') ?? []
    buttons[back ? buttons.length - 1 : 0]?.focus()
  }
  return <>{props.near ? <Toolbar {...props} /> : <button type="button" class="message-does" aria-label={text().does.bar} onFocusIn={enter} onClick={() => props.onNear()} />}</>
}

interface ToolsProps {
  readonly item: Item
  readonly room: Room
  readonly onEdit: () => void
  readonly onThread: () => void
}

function Toolbar(props: ToolsProps) {
  const model = useModel()
  const message = () => props.item.message
  const mine = () => message().author === account(model)?.me
  const edits = () => mine() && may(model, 'chat.edit_own')
  const rights = useRights(() => model.channel(props.room.channel))
  const [asked, setAsked] = createSignal(false) // whether it is to be deleted
  const react = (emoji: string) => {
    used(emoji)
    props.room.react(message().offset, emoji, !reacted(message(), emoji))
  }
  const items = (): MenuItem[] => [
    ...(rights()?.pin ? [{ label: message().pinned ? text().does.unpin : text().does.pin, icon: pinIcon, run: () => props.room.pin(message().offset, !message().pinned) }] : []),
    // Replies can't be marked unread: how far a thread is read only ever moves forward.
    ...(props.room.root === 0 ? [{ label: text().does.markUnread, icon: bellIcon, run: () => props.room.markUnread(message().offset) }] : []),
    { label: text().does.copyText, icon: copyIcon, run: () => void copy(message().text) },
    { label: text().does.copyLink, icon: linkIcon, run: () => void copy(`${window.location.origin}${messagePath(props.room.channel, message().offset, props.room.root)}`) },
    ...(edits() || rights()?.deleteOthers
      ? (['line', { label: text().does.remove, icon: trashIcon, danger: true, run: () => void setAsked(true) }] as const)
      : []),
  ]
  return (
    <div class="message-does" role="toolbar" aria-label={text().does.bar}>
      <For each={quick(handy)}>
        {(emoji) => (
          <button type="button" class="icon-button message-quick" aria-label={text().does.reactWith(emoji)} aria-pressed={reacted(message(), emoji)} data-tip={text().does.reactWith(emoji)} onClick={() => react(emoji)}>
            <span aria-hidden="true">{emoji}</span>
          </button>
        )}
      </For>
      <EmojiButton class="icon-button" label={text().does.react} onPick={react}>
        <Icon path={faceSlightlySmilingPlusIcon} />
      </EmojiButton>
      <Show when={props.room.root === 0}>
        <IconButton icon={messageSquareTextIcon} label={text().does.reply} onClick={() => props.onThread()} />
      </Show>
      <Show when={edits()}>
        <IconButton data-edits icon={pencilIcon} label={text().does.edit} onClick={() => props.onEdit()} />
      </Show>
      <Menu label={text().does.more} align="end" items={items()} button={(properties) => <IconButton icon={ellipsisIcon} label={text().does.more} {...properties} />} />
      <Show when={asked()}>
        <Confirm
          title={text().deleteTitle}
          words={text().deleteWhy(beginning(message().text))}
          label={text().does.remove}
          onDo={() => {
            setAsked(false)
            props.room.remove(message().offset)
          }}
          onClose={() => setAsked(false)}
        />
      </Show>
    </div>
  )
}

/** How much of a message is quoted, in UTF-16 units. */
const quoted = 120

/** beginning is as much of a text as tells which one it is. */
function beginning(of: string): string {
  const line = of.replace(/\s+/g, ' ').trim()
  return line.length > quoted ? `${line.slice(0, quoted).replace(/[\uD800-\uDBFF]$/, '').trimEnd()}…` : line
}
