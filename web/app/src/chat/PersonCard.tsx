import { Show } from 'solid-js'
import { personName, useModel } from '../model/context.ts'
import type { Id } from '../model/model.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'

/** PersonCard is what a hover card tells of somebody. */
export function PersonCard(props: { readonly id: Id }) {
  const model = useModel()
  const person = () => model.person(props.id)
  const presence = () => model.presence(props.id)
  return (
    <>
      <div class="person-card">
        <Avatar id={props.id} name={personName(person(), props.id)} size="huge" presence={presence()} />
        <div>
          <div class="person-card-name">{personName(person(), props.id)}</div>
          <div class="faint">@{person()?.handle}</div>
        </div>
      </div>
      <Show when={person()?.title}>
        <div>{person()?.title}</div>
      </Show>
      <div class="soft">
        {presence().emoji} {presenceWords(presence())}
      </div>
    </>
  )
}
