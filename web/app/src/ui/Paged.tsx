import { createResource, createSignal, For, Show, type JSX } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import type { Page } from '../model/model.ts'
import { Button } from './Button.tsx'
import { EmptyState, Skeleton } from './Empty.tsx'
import { toast } from './toasts.ts'

export interface PagedProps<T> {
  readonly load: (page: string) => Promise<Page<T>>
  readonly row: (item: T, reload: () => void) => JSX.Element
  readonly empty: JSX.Element
  /** What is around the rows; absent: a list. */
  readonly frame?: (rows: JSX.Element) => JSX.Element
  /** Another value loads it anew. */
  readonly version?: string | number
  /** What is said where it can't be loaded, and on the button that reads on. */
  readonly failed: string
  readonly more: string
}

/** Paged is a list that the server gives page by page. */
export function Paged<T>(props: PagedProps<T>) {
  const [page, { mutate, refetch }] = createResource(
    () => ({ version: props.version }),
    () => props.load(''),
  )
  const [busy, setBusy] = createSignal(false)
  const more = async () => {
    if (page.loading) return // another list is about to be shown
    setBusy(true)
    try {
      const before = page()
      if (!before?.next) return
      const rest = await props.load(before.next)
      if (page() === before) mutate({ items: [...before.items, ...rest.items], next: rest.next }) // else another list is shown since
    } catch (error) {
      toast(props.failed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void more() } })
    } finally {
      setBusy(false)
    }
  }
  const frame = (rows: JSX.Element) => props.frame?.(rows) ?? <ul class="people-list">{rows}</ul>
  return (
    <Show
      when={page.error === undefined}
      fallback={
        <EmptyState title={props.failed} words={explain(page.error)}>
          <Button onClick={() => void refetch()}>{core().retry}</Button>
        </EmptyState>
      }
    >
      <Show when={page.latest} fallback={<Skeleton rows={3} />}>
        {(found) => (
          <Show when={found().items.length > 0} fallback={props.empty}>
            {frame(<For each={found().items}>{(item) => props.row(item, () => void refetch())}</For>)}
            <Show when={found().next}>
              <Button busy={busy() || page.loading} onClick={() => void more()}>
                {props.more}
              </Button>
            </Show>
          </Show>
        )}
      </Show>
    </Show>
  )
}
