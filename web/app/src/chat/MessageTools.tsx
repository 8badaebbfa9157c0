import type { Item } from '@plenum/sdk/chat'
import { Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { account, may, useModel } from '../model/context.ts'
import { IconButton } from '../ui/Button.tsx'
import { copyIcon, ellipsisIcon, faceSlightlySmilingPlusIcon, linkIcon, messageSquareTextIcon, pencilIcon, pinIcon, trashIcon, bellIcon } from '../ui/icons.ts'
import { Menu, type MenuItem } from '../ui/Menu.tsx'
import { toast } from '../ui/toasts.ts'
import { useRights } from './rights.ts'
import type { Room } from './room.ts'
import { text } from './text.ts'

/** What most reactions are; all others come from the picker. */
const quick = ['👍', '❤️', '😂', '🎉', '👀', '✅']

/** MessageTools is what can be done with a message that is sent. */
export function MessageTools(props: { readonly item: Item; readonly room: Room; readonly onEdit: () => void; readonly onThread: () => void }) {
  const model = useModel()
  const message = () => props.item.message
  const mine = () => message().author === account(model)?.me
  const edits = () => mine() && may(model, 'chat.edit_own')
  const rights = useRights(() => model.channel(props.room.channel))
  const copy = (what: string) => void navigator.clipboard.writeText(what).then(() => toast(core().copied))
  const items = (): MenuItem[] => [
    ...(rights()?.pin ? [{ label: message().pinned ? text().does.unpin : text().does.pin, icon: pinIcon, run: () => props.room.pin(message().offset, !message().pinned) }] : []),
    { label: text().does.markUnread, icon: bellIcon, run: () => props.room.markUnread(message().offset) },
    { label: text().does.copyText, icon: copyIcon, run: () => copy(message().text) },
    { label: text().does.copyLink, icon: linkIcon, run: () => copy(`${window.location.origin}/c/${props.room.channel}/${message().offset}`) },
    ...(edits() || rights()?.deleteOthers
      ? (['line', { label: text().does.remove, icon: trashIcon, danger: true, run: () => props.room.remove(message().offset) }] as const)
      : []),
  ]
  return (
    <div class="message-does" role="toolbar" aria-label={text().does.bar}>
      <Menu
        label={text().does.react}
        align="end"
        items={quick.map((emoji) => ({ label: emoji, run: () => props.room.react(message().offset, emoji, true) }))}
        button={(properties) => <IconButton icon={faceSlightlySmilingPlusIcon} label={text().does.react} {...properties} />}
      />
      <Show when={props.room.root === 0}>
        <IconButton icon={messageSquareTextIcon} label={text().does.reply} onClick={() => props.onThread()} />
      </Show>
      <Show when={edits()}>
        <IconButton icon={pencilIcon} label={text().does.edit} onClick={() => props.onEdit()} />
      </Show>
      <Menu label={text().does.more} align="end" items={items()} button={(properties) => <IconButton icon={ellipsisIcon} label={text().does.more} {...properties} />} />
    </div>
  )
}
