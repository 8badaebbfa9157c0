import { For } from 'solid-js'
import { IconButton } from '../ui/Button.tsx'
import { boldIcon, codeIcon, faceSlightlySmilingPlusIcon, italicIcon, linkIcon, listIcon, paperclipIcon, sendHorizontalIcon, textQuoteIcon } from '../ui/icons.ts'
import { text } from './text.ts'
import './channel.css'

/** Composer is where one writes: its place and looks. */
export function Composer(props: { readonly label: string }) {
  const formats = () =>
    [
      [boldIcon, text().format.bold, 'Mod+B'],
      [italicIcon, text().format.italic, 'Mod+I'],
      [linkIcon, text().format.link, undefined],
      [listIcon, text().format.list, undefined],
      [textQuoteIcon, text().format.quote, undefined],
      [codeIcon, text().format.code, 'Mod+E'],
    ] as const
  return (
    <form class="composer" onSubmit={(event) => event.preventDefault()}>
      <div class="composer-box">
        <textarea class="composer-text" rows={1} aria-label={props.label} placeholder={props.label} />
        <div class="composer-bar">
          <IconButton icon={paperclipIcon} label={text().format.attach} />
          <IconButton icon={faceSlightlySmilingPlusIcon} label={text().format.emoji} />
          <span class="composer-line" />
          <span class="composer-formats">
            <For each={formats()}>{([icon, label, keys]) => <IconButton icon={icon} label={label} keys={keys} />}</For>
          </span>
          <button type="submit" class="composer-send" aria-label={text().send} data-tip={text().send} data-keys="Enter">
            <svg class="icon icon-mirrored" viewBox="0 0 24 24" aria-hidden="true">
              <path d={sendHorizontalIcon} />
            </svg>
          </button>
        </div>
      </div>
    </form>
  )
}
