import { For, Show, type JSX } from 'solid-js'
import { text } from '../i18n/en.ts'
import { Seats } from './Seats.tsx'
import './small.css'

/** EmptyState is what a list shows that has nothing: what would be there, and how it comes there. */
export function EmptyState(props: { readonly title: string; readonly words?: string; readonly children?: JSX.Element }) {
  return (
    <div class="empty">
      <Seats />
      <p class="empty-title">{props.title}</p>
      <Show when={props.words}>
        <p class="empty-words">{props.words}</p>
      </Show>
      <Show when={props.children}>
        <div class="empty-does">{props.children}</div>
      </Show>
    </div>
  )
}

/** Skeleton is the place of rows that are being loaded. */
export function Skeleton(props: { readonly rows?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="unseen">{text().loading}</span>
      <For each={Array.from({ length: props.rows ?? 5 })}>
        {() => (
          <div class="skeleton-row" aria-hidden="true">
            <i />
            <i />
            <i />
            <i />
          </div>
        )}
      </For>
    </div>
  )
}
