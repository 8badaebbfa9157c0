import { Show, splitProps, type JSX } from 'solid-js'
import { Icon } from './Icon.tsx'
import './button.css'

type Plain = Omit<JSX.ButtonHTMLAttributes<HTMLButtonElement>, 'class' | 'style'>

export interface ButtonProps extends Plain {
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  readonly size?: 'small' | 'large' | undefined
  readonly wide?: boolean
  readonly icon?: string
  /** It works at what was asked: it can't be pressed again, but keeps the focus. */
  readonly busy?: boolean
}

export function Button(props: ButtonProps) {
  const [own, rest] = splitProps(props, ['kind', 'size', 'wide', 'icon', 'busy', 'disabled', 'onClick', 'children'])
  const off = () => (own.busy ?? false) || own.disabled === true
  return (
    <button
      type="button"
      {...rest}
      class={`button button-${own.kind ?? 'plain'}`}
      classList={{ [`button-${own.size}`]: own.size !== undefined, 'button-wide': own.wide ?? false }}
      aria-disabled={off()}
      aria-busy={own.busy}
      onClick={(event) => {
        if (off()) event.preventDefault()
        else if (typeof own.onClick === 'function') own.onClick(event)
      }}
    >
      <Show when={own.busy} fallback={own.icon && <Icon path={own.icon} small />}>
        <span class="spinner" />
      </Show>
      {own.children}
    </button>
  )
}

export interface IconButtonProps extends Plain {
  readonly icon: string
  /** What it does: its name, and its tooltip. */
  readonly label: string
  /** Shown in the tooltip. */
  readonly keys?: string | undefined
  readonly mirrored?: boolean
}

export function IconButton(props: IconButtonProps) {
  const [own, rest] = splitProps(props, ['icon', 'label', 'keys', 'mirrored'])
  return (
    <button type="button" {...rest} class="icon-button" aria-label={own.label} data-tip={own.label} data-keys={own.keys}>
      <Icon path={own.icon} mirrored={own.mirrored ?? false} />
    </button>
  )
}
