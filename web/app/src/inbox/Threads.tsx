import { createMemo, For, Show } from 'solid-js'
import { useModel } from '../model/context.ts'
import { EmptyState } from '../ui/Empty.tsx'
import { Older } from './Older.tsx'
import { createOrder } from './order.ts'
import { text } from './text.ts'
import { ThreadCard } from './ThreadCard.tsx'

/** Threads are those that the account follows, unread ones first. Arrows go from one to the next. */
export function Threads() {
  const model = useModel()
  const order = createOrder()
  const keys = createMemo(() => order(model.inbox.threads()))
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    const opens = [...event.currentTarget.querySelectorAll<HTMLElement>('.inbox-open')]
    const next = opens[opens.indexOf(event.target as HTMLElement) + (event.key === 'ArrowDown' ? 1 : -1)]
    if (!opens.includes(event.target as HTMLElement) || !next) return
    event.preventDefault()
    next.focus()
  }
  return (
    <Show when={model.inbox.threads().length > 0} fallback={<EmptyState title={text().nothing} words={text().noThreads} />}>
      <div class="inbox-threads" onKeyDown={onKeyDown}>
        <Show when={keys().unread.length > 0} fallback={<p class="inbox-calm">{text().nothing}</p>}>
          <h2 class="inbox-part">{text().fresh}</h2>
          <Cards keys={keys().unread} />
        </Show>
        <Show when={keys().read.length > 0}>
          <h2 class="inbox-part">{text().earlier}</h2>
          <Cards keys={keys().read} />
        </Show>
        <Older what="threads" />
      </div>
    </Show>
  )
}

function Cards(props: { readonly keys: readonly string[] }) {
  return (
    <ul class="inbox-cards">
      <For each={props.keys}>
        {(key) => (
          <li>
            <ThreadCard channel={key.slice(0, key.lastIndexOf('/'))} root={Number(key.slice(key.lastIndexOf('/') + 1))} />
          </li>
        )}
      </For>
    </ul>
  )
}
