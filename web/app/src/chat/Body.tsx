import { createMemo } from 'solid-js'
import { dom, markdown } from '../markdown/markdown.ts'
import { account, personName, useModel } from '../model/context.ts'
import './body.css'

/** Body shows what somebody wrote. */
export function Body(props: { readonly text: string }) {
  const model = useModel()
  const byHandle = createMemo(() => new Map(model.people().map((person) => [person.handle, person])))
  const everybody = new Set(['all', 'channel'])
  const content = createMemo(() =>
    dom(markdown(props.text), {
      mention: (handle, words) => {
        const person = byHandle().get(handle)
        if (!person && !everybody.has(handle)) return undefined
        const chip = document.createElement('span')
        chip.className = person?.id === account(model)?.me || !person ? 'mention mention-mine' : 'mention'
        chip.textContent = person ? `@${personName(person, person.id)}` : words
        return chip
      },
    }),
  )
  return <div class="body">{content()}</div>
}
