import { createUniqueId, onCleanup, onMount, Show, type JSX } from 'solid-js'
import { text } from '../i18n/en.ts'
import { IconButton } from './Button.tsx'
import { xIcon } from './icons.ts'
import './dialog.css'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly wide?: boolean
  /** No head of its own: what is inside shows what it is. */
  readonly bare?: boolean
  readonly name?: string
  readonly foot?: JSX.Element
  readonly children: JSX.Element
}

/**
 * Dialog is modal as long as it is there: the browser keeps the focus inside, closes it by Escape, and gives the focus back to where it was. A click
 * beside it closes it as well.
 */
export function Dialog(props: DialogProps) {
  const id = createUniqueId()
  let element!: HTMLDialogElement
  onMount(() => {
    const before = document.activeElement
    element.showModal()
    const start = element.querySelector<HTMLElement>('[autofocus]') ?? element
    start.focus()
    onCleanup(() => {
      element.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    })
  })
  return (
    <dialog
      ref={element}
      tabIndex={-1}
      class={`dialog ${props.name ?? ''}`}
      classList={{ 'dialog-wide': props.wide ?? false }}
      aria-label={props.bare ? props.title : undefined}
      aria-labelledby={props.bare ? undefined : id}
      onCancel={(event) => {
        event.preventDefault()
        props.onClose()
      }}
      onClick={(event) => {
        if (event.target === element) props.onClose()
      }}
    >
      <Show when={!props.bare} fallback={props.children}>
        <header class="dialog-head">
          <h2 id={id}>{props.title}</h2>
          <IconButton icon={xIcon} label={text().close} onClick={() => props.onClose()} />
        </header>
        <div class="dialog-body">{props.children}</div>
        <Show when={props.foot}>
          <footer class="dialog-foot">{props.foot}</footer>
        </Show>
      </Show>
    </dialog>
  )
}
