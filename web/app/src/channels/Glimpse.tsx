import { For, Show } from 'solid-js'
import { Body } from '../chat/Body.tsx'
import { nobody } from '../chat/named.ts'
import { moment } from '../i18n/format.ts'
import { nameApart, useModel } from '../model/context.ts'
import type { Preview } from '../model/model.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { text } from './text.ts'
import '../people/people.css'

/** Glimpse is what one may know of a channel before one joins it: what it is for, who is in it, what was said last. */
export function Glimpse(props: { readonly preview: Preview }) {
  const model = useModel()
  const name = (id: string) => nameApart(model, id, '…') // until they are known
  return (
    <>
      <Show when={props.preview.purpose}>{(purpose) => <p>{purpose()}</p>}</Show>
      <Show when={props.preview.people.length > 0}>
        <h3 class="preview-title">{text().browse.people}</h3>
        <ul class="preview-people">
          <For each={props.preview.people}>
            {(id) => (
              <li>
                <Avatar id={id} name={name(id)} />
                <span class="clip">{name(id)}</span>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <h3 class="preview-title">{text().browse.said}</h3>
      <Show when={props.preview.said} fallback={<p class="faint">{text().browse.unreadable}</p>}>
        {(said) => (
          <ul class="preview-said" aria-label={text().browse.said}>
            <For each={said()} fallback={<li class="faint">{text().browse.nothingSaid}</li>}>
              {(message) => (
                <li>
                  <p>
                    <span class="strong">{name(message.author)}</span> <span class="faint">{moment(message.timeMs)}</span>
                  </p>
                  <Body text={message.text} called={message.mentions ?? nobody} />
                </li>
              )}
            </For>
          </ul>
        )}
      </Show>
    </>
  )
}
