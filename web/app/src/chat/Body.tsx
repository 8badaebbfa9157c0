import { createMemo, Show } from 'solid-js'
import { dom, markdown } from '../markdown/markdown.ts'
import { moment } from '../i18n/format.ts'
import { account, personCalled, personName, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { find } from '../shell/paths.ts'
import { Cards } from './Cards.tsx'
import { cardsOf } from './cards.ts'
import { text } from './text.ts'
import './body.css'

/** Handles that mean all. */
const everybody = new Set(['all', 'channel'])

/** Body shows what somebody wrote. */
export function Body(props: { readonly text: string; /** When it was edited last, Unix ms, and how often; absent: never. */ readonly edited?: { readonly ms: number; readonly times: number } | undefined }) {
  const model = useModel()
  const shell = useShell()
  const words = createMemo(() => props.text) // whatever else becomes of the message
  const parts = createMemo(() => markdown(words()))
  const cards = createMemo(() => cardsOf(parts(), shell.registry.cards))
  const content = createMemo(() => {
    const made = dom(parts(), {
      inside: (url) => url.origin === window.location.origin && url.hash === '' && find(shell.registry.routes, url.pathname) !== undefined,
      mention: (handle, typed) => {
        const person = personCalled(model, handle)
        if (!person && !everybody.has(handle)) return undefined
        const chip = document.createElement('span')
        chip.className = !person || person.id === account(model)?.me ? 'mention mention-me' : 'mention'
        chip.textContent = person ? `@${personName(person, person.id)}` : typed
        return chip
      },
    })
    return [...made.childNodes]
  })
  return (
    <div class="message-body" dir="auto">
      {content()}
      <Show when={cards().length > 0}>
        <Cards cards={cards()} />
      </Show>
      <Show when={props.edited}>
        {(edited) => (
          <time class="message-edited" dateTime={new Date(edited().ms).toISOString()} data-tip={text().editedAt(moment(edited().ms), edited().times)}>
            ({text().edited}<span class="unseen"> {text().editedAt(moment(edited().ms), edited().times)}</span>)
          </time>
        )}
      </Show>
    </div>
  )
}
