import { createEffect, createMemo, createSignal, onCleanup, Show, untrack } from 'solid-js'
import { dom, inTurn } from '../markdown/markdown.ts'
import { moment } from '../i18n/format.ts'
import { useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { find } from '../shell/paths.ts'
import { Button } from '../ui/Button.tsx'
import { Cards } from './Cards.tsx'
import { cardsOf } from './cards.ts'
import { mayFold, whenOver } from './fold.ts'
import { namesOf, sameNames, typedIn, type Called } from './named.ts'
import { text } from './text.ts'
import './body.css'

/** unfolds is the event before a message grows to its whole height: what is above it stays where it is. */
export const unfolds = 'plenum-unfolds'

/** Of what isn't sent, by who may not call all. */
const unsent: Called = { everybody: false }

export interface BodyProps {
  readonly text: string
  /** Whom it calls; absent: it isn't sent. */
  readonly called?: Called
  /** When it was edited last, Unix ms, and how often; absent: never. */
  readonly edited?: { readonly ms: number; readonly times: number } | undefined
  /** It is shown whole from the beginning, however tall it is. */
  readonly whole?: boolean
  /** Somebody has asked for all of it. */
  readonly onWhole?: () => void
}

/** Body shows what somebody wrote. */
export function Body(props: BodyProps) {
  const model = useModel()
  const shell = useShell()
  // The words, whatever else becomes of the message; and handles that were nobody's as they were first shown: a name that comes later would break their lines
  // anew while they are read.
  const words = createMemo((before?: { readonly text: string; readonly unmet: Set<string> }) => {
    const { text } = props
    return before?.text === text ? before : { text, unmet: new Set<string>() }
  })
  const [turn, setTurn] = createSignal(undefined, { equals: false })
  const parts = createMemo(() => {
    turn()
    const { parts, leave } = inTurn(words().text, setTurn)
    if (leave) onCleanup(leave)
    return parts
  })
  const cards = () => cardsOf(parts(), shell.registry.cards)
  const content = () => {
    const { unmet } = words()
    const typed = typedIn(parts())
    // Most messages name nobody; and one that does is made anew only where somebody is called otherwise, whatever else becomes of people.
    const names = typed.length > 0 ? createMemo(() => namesOf(model, typed, props.called ?? unsent), undefined, { equals: sameNames }) : undefined
    const made = dom(parts(), {
      inside: (url) => url.origin === window.location.origin && url.hash === '' && find(shell.registry.routes, url.pathname) !== undefined,
      name: (typed) => {
        const named = names?.().get(typed)
        if (!named) {
          unmet.add(typed)
          return undefined
        }
        const late = unmet.has(typed)
        const chip = document.createElement(named.href ? 'a' : 'span')
        if (named.href) chip.setAttribute('href', named.href)
        chip.className = named.mine ? 'mention mention-me' : 'mention'
        chip.classList.toggle('mention-late', late)
        chip.textContent = late ? typed.slice(0, typed.length - named.behind.length) : named.words
        const tip = named.tip || (named.words === chip.textContent ? '' : named.words)
        if (tip) chip.dataset['tip'] = tip
        if (named.behind === '') return chip
        const both = document.createDocumentFragment()
        both.append(chip, named.behind)
        return both
      },
    })
    return [...made.childNodes]
  }
  const [whole, setWhole] = createSignal(untrack(() => props.whole ?? false))
  const [over, setOver] = createSignal(false)
  const folds = () => !whole() && mayFold(words().text)
  const unfold = () => {
    body.dispatchEvent(new Event(unfolds, { bubbles: true }))
    setWhole(true)
    props.onWhole?.()
  }
  let body!: HTMLDivElement
  createEffect(() => {
    if (!folds()) {
      setOver(false)
      return
    }
    const found = () => over() && unfold() // the keyboard, or a search in the page, has found something further below
    body.addEventListener('scroll', found)
    onCleanup(whenOver(body, setOver))
    onCleanup(() => { body.removeEventListener('scroll', found) })
  })
  return (
    <div ref={body} class="message-body" classList={{ 'message-folds': folds() }} dir="auto">
      {content()}
      {cards().length > 0 || props.edited || over() ? (
        <>
          <Cards cards={cards()} />
          <Show when={props.edited}>
            {(edited) => (
              <time class="message-edited" dateTime={new Date(edited().ms).toISOString()} data-tip={text().editedAt(moment(edited().ms), edited().times)}>
                ({text().edited}<span class="unseen"> {text().editedAt(moment(edited().ms), edited().times)}</span>)
              </time>
            )}
          </Show>
          <Show when={over()}>
            <div class="message-unfold">
              <Button size="small" onClick={unfold}>
                {text().unfold}
              </Button>
            </div>
          </Show>
        </>
      ) : undefined}
    </div>
  )
}
