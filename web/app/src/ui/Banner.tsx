import { Show, type JSX } from 'solid-js'
import { Icon } from './Icon.tsx'
import './small.css'

/** Banner says how things are, in the place where that matters. */
export function Banner(props: { readonly kind?: 'note' | 'warn' | 'danger'; readonly icon?: string; readonly does?: JSX.Element; readonly children: JSX.Element }) {
  return (
    <div class={`banner banner-${props.kind ?? 'note'}`} role={props.kind === 'danger' ? 'alert' : 'status'}>
      <Show when={props.icon}>{(icon) => <Icon path={icon()} small />}</Show>
      <span class="banner-words">{props.children}</span>
      {props.does}
    </div>
  )
}
