import { createEffect, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { useShell } from '../shell/context.ts'
import { prefer, preferences } from '../shell/preferences.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button, IconButton } from '../ui/Button.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellIcon, xIcon } from '../ui/icons.ts'
import type { CardList, Told } from './cards.ts'
import { askPermission, permission } from './desk.ts'
import { text } from './text.ts'
import './notify.css'

/** Cards lie above all, dialogs included, and never take the focus; what is new is said to screen readers when they have finished. */
export function Cards(props: { readonly cards: CardList }) {
  let element!: HTMLDivElement
  createEffect(() => {
    const any = props.cards.all().length > 0
    if (element.matches(':popover-open') !== any) element.togglePopover(any)
  })
  const newest = () => props.cards.all().at(-1)
  /** Once, below the first one, and answered by a click alone. */
  const hint = () => permission() === 'default' && preferences().hint === 'on' && props.cards.all().length > 0
  const inside = (event: FocusEvent & { readonly currentTarget: HTMLElement }) => event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)
  return (
    <>
      <p class="unseen" aria-live="polite">
        {newest() && text().announced(newest()?.title ?? '', newest()?.where ?? '', newest()?.line ?? '')}
      </p>
      <div
        ref={element}
        class="arrived"
        popover="manual"
        role="region"
        aria-label={text().region}
        onPointerEnter={() => props.cards.hold(true)}
        onPointerLeave={() => props.cards.hold(false)}
        onFocusIn={() => props.cards.hold(true)}
        onFocusOut={(event) => !inside(event) && props.cards.hold(false)}
      >
        <ul class="notice-list">
          <For each={props.cards.all()}>
            {(told) => (
              <li class="notice" classList={{ 'notice-mention': told.mention }}>
                <Card told={told} onClose={() => props.cards.close(told.key)} />
              </li>
            )}
          </For>
        </ul>
        <Show when={hint()}>
          <div class="notice-hint">
            <Icon path={bellIcon} small />
            <p>{text().hint}</p>
            <div class="notice-does">
              <Button size="small" kind="primary" onClick={() => void askPermission().finally(() => prefer({ hint: 'off' }))}>
                {text().allow}
              </Button>
              <Button size="small" kind="quiet" onClick={() => prefer({ hint: 'off' })}>
                {text().later}
              </Button>
            </div>
          </div>
        </Show>
      </div>
    </>
  )
}

function Card(props: { readonly told: Told; readonly onClose: () => void }) {
  const shell = useShell()
  return (
    <>
      <a
        class="notice-link"
        href={props.told.path}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return
          event.preventDefault()
          props.onClose()
          shell.go(props.told.path)
        }}
      >
        <Show when={props.told.author} fallback={<span class="notice-sign"><Icon path={bellIcon} /></span>}>
          {(id) => <Avatar id={id()} name={props.told.title} size="large" />}
        </Show>
        <span class="notice-words">
          <span class="notice-head clip">
            <span class="strong">{props.told.title}</span> <span class="faint">{props.told.where}</span>
          </span>
          <span class="notice-line">{props.told.line}</span>
        </span>
      </a>
      <IconButton icon={xIcon} label={core().toast.dismiss} onClick={() => props.onClose()} />
    </>
  )
}
