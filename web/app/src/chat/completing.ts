/** What a field where one writes a message does about names, channels and emoji. */
import { createEffect, createMemo, createSignal, createUniqueId, on, onCleanup, onMount, untrack, type Accessor } from 'solid-js'
import { tone, used } from '../emoji/recent.ts'
import { useModel } from '../model/context.ts'
import { answerId } from './Answers.tsx'
import { channelsBy, loadCompleter, mentionable, type Answer, type Completer } from './answers.ts'
import { asked, completed, fenced, spelled, type Asked } from './complete.ts'

export interface CompletingProps {
  readonly field: () => HTMLTextAreaElement
  /** What stands in the field. */
  readonly words: Accessor<string>
  /** Puts another text into it, with the cursor, in UTF-16 units. */
  readonly put: (text: string, cursor: number) => void
  /** What is written may call everybody. */
  readonly all: Accessor<boolean>
}

/** Completing offers what may be meant by the word at a field's cursor, and puts it there. */
export interface Completing {
  /** The id of the list that they stand in. */
  readonly id: string
  /** Best first; empty: nothing is offered. */
  readonly answers: Accessor<readonly Answer[]>
  /** The number of the one that Enter takes. */
  readonly chosen: Accessor<number>
  readonly sign: Accessor<Asked['sign']>
  /** What the field says of the list. */
  readonly says: () => { readonly 'aria-controls': string | undefined; readonly 'aria-activedescendant': string | undefined }
  /** Something was typed, or put there; the words are told it next. What stood there before asks for nothing. */
  changes(): void
  /** Something was typed: ":tada:" that is whole becomes its emoji. */
  spell(): void
  take(answer: Answer | undefined): void
  /** Takes a key that is for the list; false: it isn't. */
  key(event: KeyboardEvent): boolean
}

/** useCompleting completes what is written into a field, while that has the focus. Code names nobody. */
export function useCompleting(props: CompletingProps): Completing {
  const model = useModel()
  const id = `${createUniqueId()}-answers`
  const [cursor, setCursor] = createSignal(0)
  const [chosen, setChosen] = createSignal(0)
  const [dismissed, setDismissed] = createSignal(-1) // where the word begins for which nothing is wanted
  const [changed, setChanged] = createSignal(false)
  const [focused, setFocused] = createSignal(false)
  const moved = () => void setCursor(props.field().selectionStart)
  onMount(() => {
    const field = props.field()
    for (const event of ['focus', 'blur'] as const) field.addEventListener(event, () => setFocused(event === 'focus'))
    setFocused(document.activeElement === field)
  })
  createEffect(() => {
    if (!focused()) return
    document.addEventListener('selectionchange', moved)
    onCleanup(() => { document.removeEventListener('selectionchange', moved) })
  })
  const word = createMemo(() => (changed() && focused() ? asked(props.words(), cursor()) : undefined))
  createEffect(() => word() === undefined && setDismissed(-1))
  const question = createMemo(() => {
    const found = word()
    return found && found.from !== dismissed() && !fenced(props.words(), cursor()) ? found : undefined
  })
  const all = createMemo(() => props.all()) // which is asked of what moves with each message
  // The emoji are asked for with the first colon that means one.
  const [emoji, setEmoji] = createSignal<Completer>()
  createEffect(() => {
    if (question()?.sign === ':' && emoji() === undefined) loadCompleter().then((found) => setEmoji(() => found), () => undefined) // it stays as it was typed
  })
  const answers = createMemo((): readonly Answer[] => {
    const q = question()
    if (q?.sign === ':') return emoji()?.(q.word, tone()) ?? []
    if (q?.sign === '@') return mentionable(q.word, model.people(), model.groups(), all())
    return q?.sign === '#' ? channelsBy(q.word, untrack(model.channels)) : [] // which move with each message
  })
  createEffect(on(question, () => setChosen(0)))

  const put = (q: Asked, chosen: string) => {
    const to = completed(props.field().value, q, chosen)
    props.put(to.text, to.cursor)
    setCursor(to.cursor)
  }
  const take = (answer: Answer | undefined) => {
    const q = question()
    if (!q || !answer) return
    if (answer.kind === 'emoji') used(answer.puts)
    put(q, answer.puts)
    props.field().focus()
  }
  const offers = () => answers().length > 0
  return {
    id,
    answers,
    chosen,
    sign: () => question()?.sign ?? '@',
    says: () => ({ 'aria-controls': offers() ? id : undefined, 'aria-activedescendant': offers() ? answerId(id, chosen()) : undefined }),
    changes: () => {
      setChanged(true)
      moved()
    },
    spell: () => {
      const { value, selectionStart } = props.field()
      const q = fenced(value, selectionStart) ? undefined : spelled(value, selectionStart)
      const found = q && emoji()?.(q.word, tone()).find((answer) => answer.kind === 'emoji' && answer.code === q.word)
      if (q && found) put(q, found.puts)
    },
    take,
    key: (event) => {
      const list = answers()
      if (list.length === 0) return false
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        setChosen((n) => (n + (event.key === 'ArrowDown' ? 1 : -1) + list.length) % list.length)
      } else if ((event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey) {
        take(list[chosen()])
      } else if (event.key === 'Escape') {
        setDismissed(question()?.from ?? -1)
        event.stopPropagation()
      } else {
        return false
      }
      event.preventDefault()
      return true
    },
  }
}
