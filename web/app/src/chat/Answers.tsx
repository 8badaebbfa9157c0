import { createEffect, For, Match, onCleanup, onMount, Show, Switch } from 'solid-js'
import { Avatar } from '../ui/Avatar.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon, lockIcon, megaphoneIcon, usersIcon } from '../ui/icons.ts'
import { moveBeside, roomBeside } from '../ui/place.ts'
import type { Completing } from './completing.ts'
import { text } from './text.ts'
import '../ui/popover.css'

export interface AnswersProps {
  readonly of: Completing
  /** The field, which has the focus and the keys. */
  readonly beside: () => Element
  /** The conversation has no name: all are those in it. */
  readonly between: boolean
}

/** answerId is the id of one of a list's answers, for aria-activedescendant. */
export const answerId = (id: string, n: number) => `${id}-${n}`

/** Answers are what is offered while one writes: above the field, whatever that stands in. */
export function Answers(props: AnswersProps) {
  return (
    <Show when={props.of.answers().length > 0}>
      <List {...props} />
    </Show>
  )
}

function List(props: AnswersProps) {
  let list!: HTMLUListElement
  const move = () => {
    list.style.setProperty('--room', `${roomBeside(props.beside())}px`)
    moveBeside(list, props.beside(), 'above', 'start')
  }
  // A field that was scrolled away has it back with itself.
  const sight = new IntersectionObserver(([field]) => { list.classList.toggle('composer-answers-away', !field?.isIntersecting) })
  onMount(() => {
    list.showPopover()
    sight.observe(props.beside())
    createEffect(() => {
      if (props.of.answers().length > 0) move()
      list.children[props.of.chosen()]?.scrollIntoView({ block: 'nearest' })
    })
    window.addEventListener('scroll', move, { capture: true, passive: true })
    window.addEventListener('resize', move)
  })
  onCleanup(() => {
    sight.disconnect()
    window.removeEventListener('scroll', move, { capture: true })
    window.removeEventListener('resize', move)
  })
  return (
    <ul ref={list} class="popover composer-answers" popover="manual" role="listbox" id={props.of.id} aria-label={{ '@': text().people, '#': text().channels, ':': text().emojis }[props.of.sign()]} onPointerDown={(event) => event.preventDefault()}>
      <For each={props.of.answers()}>
        {(answer, n) => (
          <li id={answerId(props.of.id, n())} role="option" aria-selected={n() === props.of.chosen()} onClick={() => props.of.take(answer)}>
            <Switch>
              <Match when={answer.kind === 'person' && answer}>
                {(found) => (
                  <>
                    <Avatar id={found().person.id} name={found().person.name} />
                    <span class="clip">{found().person.name}</span>
                    <span class="composer-handle faint clip">{found().puts}</span>
                  </>
                )}
              </Match>
              <Match when={answer.kind === 'group' && answer}>
                {(found) => (
                  <>
                    <span class="composer-sign" aria-hidden="true">
                      <Icon path={usersIcon} small />
                    </span>
                    <span class="clip">{found().group.name}</span>
                    <span class="composer-handle faint clip">{found().puts}</span>
                    <span class="composer-more faint">{text().members(found().group.members)}</span>
                  </>
                )}
              </Match>
              <Match when={answer.kind === 'everybody'}>
                <span class="composer-sign" aria-hidden="true">
                  <Icon path={megaphoneIcon} small />
                </span>
                <span class="clip">{props.between ? text().everybodyBetween : text().everybody}</span>
                <span class="composer-handle faint clip">{answer.puts}</span>
              </Match>
              <Match when={answer.kind === 'channel' && answer}>
                {(found) => (
                  <>
                    <span class="composer-sign" aria-hidden="true">
                      <Icon path={found().channel.kind === 'private' ? lockIcon : hashIcon} small />
                    </span>
                    <span class="clip">{found().channel.name}</span>
                    <span class="composer-topic faint clip">{found().channel.topic}</span>
                  </>
                )}
              </Match>
              <Match when={answer.kind === 'emoji' && answer}>
                {(found) => (
                  <>
                    <span class="composer-emoji" aria-hidden="true">
                      {found().puts}
                    </span>
                    <span class="clip">{found().name}</span>
                    <span class="faint clip">{`:${found().code}:`}</span>
                  </>
                )}
              </Match>
            </Switch>
          </li>
        )}
      </For>
    </ul>
  )
}
