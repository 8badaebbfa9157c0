import { createSignal, onCleanup, type JSX } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import type { Side } from '../ui/place.ts'
import { toast } from '../ui/toasts.ts'

export interface EmojiButtonProps {
  readonly label: string
  readonly class: string
  readonly side?: Side
  readonly align?: 'start' | 'end'
  readonly onPick: (sign: string) => void
  readonly children: JSX.Element
}

/** EmojiButton opens the picker beside itself. Nothing of the picker is loaded before it is pressed. */
export function EmojiButton(props: EmojiButtonProps) {
  const [open, setOpen] = createSignal(false)
  let button!: HTMLButtonElement
  let picker: { close(): void } | undefined
  const press = async () => {
    if (open()) {
      picker?.close()
      return
    }
    setOpen(true)
    try {
      const { openPicker } = await import('./open-emoji.tsx')
      if (!button.isConnected) return
      picker = openPicker(button, { side: props.side ?? 'below', align: props.align ?? 'end', onPick: (sign) => props.onPick(sign), onClosed: () => setOpen(false) })
    } catch {
      setOpen(false)
      toast(core().shell.wentWrong, { kind: 'failure', cause: core().shell.wentWrongWhy, action: { label: core().retry, run: () => void press() } })
    }
  }
  onCleanup(() => picker?.close())
  return (
    <button ref={button} type="button" class={props.class} aria-label={props.label} data-tip={props.label} aria-haspopup="dialog" aria-expanded={open()} onClick={() => void press()}>
      {props.children}
    </button>
  )
}
