import { For, Show } from 'solid-js'
import { dayName, moment, time } from '../../i18n/format.ts'
import { text as core } from '../../i18n/en.ts'
import { explain } from '../../i18n/refusals.ts'
import { nameApart, personName, useModel } from '../../model/context.ts'
import type { Channel } from '../../model/model.ts'
import { narrow } from '../../shell/media.ts'
import { Avatar } from '../../ui/Avatar.tsx'
import { Button } from '../../ui/Button.tsx'
import { EmptyState, Skeleton } from '../../ui/Empty.tsx'
import { toast } from '../../ui/toasts.ts'
import { Body } from '../Body.tsx'
import type { Beside } from '../beside.ts'
import { nobody } from '../named.ts'
import { showPlace } from '../places.ts'
import { useRights } from '../rights.ts'
import { text as chat } from '../text.ts'
import { text } from './text.ts'
import '../message.css'

/** Pins lists what is pinned, the newest pin first. */
export function Pins(props: { readonly channel: Channel; readonly beside: Beside; readonly onClose: () => void }) {
  const model = useModel()
  const rights = useRights(() => props.channel)
  const name = (id: string) => personName(model.person(id), chat().nobody)
  const show = (offset: number) => {
    if (narrow()) props.onClose() // it lies over the channel
    showPlace(props.channel.id, { kind: 'message', offset })
  }
  const unpin = (offset: number) => {
    props.beside.pin(offset, false).catch((error: unknown) =>
      toast(text().pins.failed, { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => unpin(offset) } }),
    )
  }
  return (
    <Show when={props.beside.pins()} fallback={<Skeleton rows={3} />}>
      {(pins) => (
        <ul class="details-scroll pins" aria-label={text().pins.list}>
          <For each={pins()} fallback={<li><EmptyState title={text().pins.none} words={text().pins.noneWhy} /></li>}>
            {(message) => (
              <li class="pinned">
                <header class="pinned-head">
                  <Avatar id={message.author} name={name(message.author)} />
                  <span class="strong clip">{nameApart(model, message.author, chat().nobody)}</span>
                  <time class="faint" dateTime={new Date(message.timeMs).toISOString()} data-tip={moment(message.timeMs)}>
                    {dayName(message.timeMs, Date.now())}, {time(message.timeMs)}
                  </time>
                </header>
                <div class="pinned-words">
                  <Body text={message.text} called={message.mentions ?? nobody} />
                </div>
                <div class="pinned-does">
                  <Button size="small" onClick={() => show(message.offset)}>
                    {text().pins.go}
                  </Button>
                  <Show when={rights()?.pin}>
                    <Button size="small" kind="quiet" onClick={() => unpin(message.offset)}>
                      {text().pins.unpin}
                    </Button>
                  </Show>
                </div>
              </li>
            )}
          </For>
        </ul>
      )}
    </Show>
  )
}
