import { createResource, For, Show } from 'solid-js'
import { Body } from '../chat/Body.tsx'
import { text as core } from '../i18n/en.ts'
import { moment } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { nameApart, useModel } from '../model/context.ts'
import type { Browsed } from '../model/model.ts'
import { Avatar } from '../ui/Avatar.tsx'
import { Button } from '../ui/Button.tsx'
import { Dialog } from '../ui/Dialog.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { text } from './text.ts'

/** Preview shows what a channel is before one joins it: what it is for, who is in it, what was said last. */
export default function Preview(props: { readonly channel: Browsed; readonly onJoin: () => void; readonly onClose: () => void }) {
  const model = useModel()
  const [preview, { refetch }] = createResource(() => props.channel.id, (id) => model.preview(id))
  const name = (id: string) => nameApart(model, id)
  return (
    <Dialog
      title={`#${props.channel.name}`}
      onClose={props.onClose}
      foot={
        <>
          <Button onClick={() => props.onClose()}>{core().close}</Button>
          <Show
            when={props.channel.joined || props.channel.archived}
            fallback={
              <Button kind="primary" autofocus onClick={() => props.onJoin()}>
                {text().browse.join}
              </Button>
            }
          >
            <Show when={props.channel.joined}>
              <a class="button button-primary" href={`/c/${props.channel.id}`} onClick={() => props.onClose()}>
                {text().browse.open}
              </a>
            </Show>
          </Show>
        </>
      }
    >
      <div class="preview">
        <p class="faint">{[text().browse.members(props.channel.members), props.channel.topic].filter((part) => part !== '').join(' · ')}</p>
        <Show when={preview.error === undefined} fallback={<EmptyState title={text().browse.previewFailed} words={explain(preview.error)}><Button onClick={() => void refetch()}>{core().retry}</Button></EmptyState>}>
          <Show when={preview()} fallback={<Skeleton rows={4} />}>
            {(found) => (
              <>
                <Show when={found().purpose}>{(purpose) => <p>{purpose()}</p>}</Show>
                <Show when={found().people.length > 0}>
                  <h3 class="preview-title">{text().browse.people}</h3>
                  <ul class="preview-people">
                    <For each={found().people}>
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
                <Show when={found().said} fallback={<p class="faint">{text().browse.unreadable}</p>}>
                  {(said) => (
                    <ul class="preview-said" aria-label={text().browse.said}>
                      <For each={said()} fallback={<li class="faint">{text().browse.nothingSaid}</li>}>
                        {(message) => (
                          <li>
                            <p>
                              <span class="strong">{name(message.author)}</span> <span class="faint">{moment(message.timeMs)}</span>
                            </p>
                            <Body text={message.text} />
                          </li>
                        )}
                      </For>
                    </ul>
                  )}
                </Show>
              </>
            )}
          </Show>
        </Show>
      </div>
    </Dialog>
  )
}
