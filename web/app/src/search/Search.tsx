import type { Hit, Query } from '@plenum/sdk/chat/cache'
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js'
import { messagePath } from '../chat/links.ts'
import { dayName, moment, time } from '../i18n/format.ts'
import { plainText } from '../markdown/markdown.ts'
import { channelName, nameApart, personName, useModel } from '../model/context.ts'
import { useShell } from '../shell/context.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { laptopIcon, searchIcon } from '../ui/icons.ts'
import { excerpt, marks } from './marks.ts'
import { searchPath } from './module.ts'
import { parse, resolve } from './query.ts'
import { text } from './text.ts'
import './search.css'

/** How long it waits for a further letter, in ms; and how many results are shown before one asks for more. */
const pause = 120
const page = 50
const longest = 320 // characters of a message

/** Search finds messages that this device holds, by their words and by who wrote them, where and when. */
export default function Search() {
  const model = useModel()
  const shell = useShell()
  const typed = () => new URLSearchParams(shell.query()).get('q') ?? ''
  const [words, setWords] = createSignal(typed())
  const wanted = createMemo(() => resolve(parse(words()), model, Date.now()))
  const query = createMemo(
    () => {
      const found = wanted()
      return found === undefined || 'kind' in found ? undefined : found
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const problem = () => {
    const found = wanted()
    return found !== undefined && 'kind' in found ? text().problem[found.kind](found.said) : undefined
  }
  let field!: HTMLInputElement

  // The address follows what is typed, and what is typed the address: a link, a step back.
  let timer: ReturnType<typeof setTimeout> | undefined
  const type = (now: string) => {
    setWords(now)
    clearTimeout(timer)
    timer = setTimeout(() => shell.go(searchPath(now.trim()), { replace: true }), pause)
  }
  onCleanup(() => clearTimeout(timer))
  createEffect(on(typed, (now) => now !== words().trim() && setWords(now), { defer: true }))
  createEffect(() => {
    if (shell.path() === '/search') queueMicrotask(() => field.focus())
  })

  return (
    <div class="page">
      <div class="page-inside search">
        <h1 class="page-title">{text().title}</h1>
        <div class="search-field">
          <Icon path={searchIcon} />
          <input
            ref={field}
            type="search"
            aria-label={text().title}
            aria-describedby="search-scope"
            placeholder={text().placeholder}
            autocomplete="off"
            spellcheck={false}
            value={words()}
            onInput={(event) => type(event.currentTarget.value)}
          />
        </div>
        <p class="search-scope" id="search-scope">
          <Icon path={laptopIcon} small />
          {text().scope}
        </p>
        <Show when={!problem()} fallback={<EmptyState title={problem() ?? ''} words={text().problemWhy} />}>
          <Show when={query()} keyed fallback={<Help onPick={(filter) => { type(`${words().trim()} ${filter}`.trim()); field.focus() }} />}>
            {(asked) => <Results query={asked} />}
          </Show>
        </Show>
      </div>
    </div>
  )
}

/** Help shows what can be typed besides words. */
function Help(props: { readonly onPick: (filter: string) => void }) {
  const filters = ['from:', 'in:', 'before:', 'after:', 'on:'] as const
  return (
    <dl class="search-help">
      <For each={filters}>
        {(filter) => (
          <div class="search-help-row">
            <dt>
              <button type="button" class="search-filter" onClick={() => props.onPick(filter)}>
                {filter}
              </button>
            </dt>
            <dd>{text().filter[filter]}</dd>
          </div>
        )}
      </For>
    </dl>
  )
}

/** Results are what one query finds, a page at a time. Those that look for something else have their own. */
function Results(props: { readonly query: Query }) {
  const model = useModel()
  const [hits, setHits] = createSignal<readonly Hit[]>([])
  const [state, setState] = createSignal<'looking' | 'more' | 'done'>('looking')
  const steps = model.search(props.query)[Symbol.asyncIterator]()
  let gone = false
  onCleanup(() => {
    gone = true
    void steps.return?.()
  })
  const look = async () => {
    setState('looking')
    const enough = hits().length + page
    while (hits().length < enough) {
      const step = await steps.next()
      if (gone) return
      if (step.done) {
        setState('done')
        return
      }
      if (step.value.length > 0) setHits([...hits(), ...step.value])
    }
    setState('more')
  }
  const timer = setTimeout(() => void look(), pause) // while one still types, nothing is read for each letter
  onCleanup(() => clearTimeout(timer))
  return (
    <>
      <p class="search-count" role="status">
        {state() === 'looking' ? text().looking : text().found(hits().length, state() === 'more')}
      </p>
      <ul aria-label={text().results}>
        <For each={hits()}>
          {(hit) => (
            <li>
              <Result hit={hit} words={props.query.text} />
            </li>
          )}
        </For>
      </ul>
      <Show when={state() === 'done' && hits().length === 0}>
        <EmptyState title={text().nothing} words={text().nothingWhy} />
      </Show>
      <Show when={state() === 'more'}>
        <div class="search-more">
          <Button onClick={() => void look()}>{text().more}</Button>
        </div>
      </Show>
    </>
  )
}

function Result(props: { readonly hit: Hit; readonly words: string }) {
  const model = useModel()
  const message = () => props.hit.message
  const name = () => personName(model.person(message().author), message().author)
  const where = () => {
    const channel = model.channel(props.hit.channel)
    return channel === undefined ? '' : channel.name ? text().inChannel(channel.name) : channelName(model, channel)
  }
  const said = createMemo(() => marks(excerpt(plainText(message().text), props.words, longest), props.words))
  return (
    <a class="search-result" href={messagePath(props.hit.channel, message().offset, message().alsoInChannel ? 0 : message().root)}>
      <Avatar id={message().author} name={name()} size="large" />
      <span class="search-words">
        <span class="search-by">
          <span class="strong clip">{nameApart(model, message().author)}</span>
          <span class="search-where clip">{message().root > 0 ? text().inThread(where()) : where()}</span>
          <time class="search-when numbers" dateTime={new Date(message().timeMs).toISOString()} data-tip={moment(message().timeMs)}>
            {dayName(message().timeMs, Date.now())}, {time(message().timeMs)}
          </time>
        </span>
        <span class="search-said" dir="auto">
          <For each={said()}>{(part) => (part.marked ? <mark>{part.text}</mark> : part.text)}</For>
        </span>
      </span>
    </a>
  )
}
