import { ErrorBoundary, For, lazy, Suspense, type Component } from 'solid-js'
import type { Card } from '../module.ts'
import type { Carded } from './cards.ts'
import { text } from './text.ts'

const loaded = new WeakMap<Card, Component<{ readonly url: URL }>>()

/** shown is a card's component, which is loaded once. */
function shown(card: Card): Component<{ readonly url: URL }> {
  let made = loaded.get(card)
  if (made === undefined) loaded.set(card, (made = lazy(card.load)))
  return made
}

/** Cards show what the links of a message lead to. Each has its place before it is there, so that nothing moves as it comes. */
export function Cards(props: { readonly cards: readonly Carded[] }) {
  return (
    <For each={props.cards}>
      {({ card, url }) => {
        const Shown = shown(card)
        return (
          <div class="link-card">
            <ErrorBoundary fallback={<p class="faint">{text().noCard}</p>}>
              <Suspense fallback={<span class="spinner" />}>
                <Shown url={url} />
              </Suspense>
            </ErrorBoundary>
          </div>
        )
      }}
    </For>
  )
}
