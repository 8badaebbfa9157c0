import { For, Match, Switch } from 'solid-js'
import { Avatar } from '../ui/Avatar.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon, lockIcon, megaphoneIcon, usersIcon } from '../ui/icons.ts'
import type { Answer } from './answers.ts'
import { text } from './text.ts'

export interface AnswersProps {
  readonly id: string
  readonly label: string
  readonly answers: readonly Answer[]
  readonly chosen: number
  /** The conversation has no name: all are those in it. */
  readonly between: boolean
  readonly onTake: (answer: Answer) => void
}

/** answerId is the id of one of a list's answers, for aria-activedescendant. */
export const answerId = (id: string, n: number) => `${id}-${n}`

/** Answers are shown above a composer, which has the focus and the keys. */
export function Answers(props: AnswersProps) {
  return (
    <ul class="composer-answers" role="listbox" id={props.id} aria-label={props.label}>
      <For each={props.answers}>
        {(answer, n) => (
          <li id={answerId(props.id, n())} role="option" aria-selected={n() === props.chosen} onPointerDown={(event) => event.preventDefault()} onClick={() => props.onTake(answer)}>
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
