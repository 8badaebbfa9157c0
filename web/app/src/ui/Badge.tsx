import { Show } from 'solid-js'
import { badge } from '../i18n/format.ts'
import './small.css'

/** Badge is a count of what asks for somebody; `said` says it. `quiet`: it only informs. */
export function Badge(props: { readonly count: number; readonly said: string; readonly quiet?: boolean }) {
  return (
    <Show when={props.count > 0}>
      <span class="badge" classList={{ 'badge-quiet': props.quiet ?? false }}>
        <span aria-hidden="true">{badge(props.count)}</span>
        <span class="unseen">{props.said}</span>
      </span>
    </Show>
  )
}
