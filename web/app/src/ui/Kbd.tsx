import { For } from 'solid-js'
import { labels } from './chord.ts'
import './small.css'

/** Keys shows a chord as keys. */
export function Keys(props: { readonly chord: string }) {
  return (
    <span class="keys">
      <For each={labels(props.chord)}>{(label) => <kbd>{label}</kbd>}</For>
    </span>
  )
}
