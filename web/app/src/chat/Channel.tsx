import { createResource, Index, lazy, Match, Show, Suspense, Switch } from 'solid-js'
import { explain } from '../i18n/refusals.ts'
import { away } from '../model/away.ts'
import { channelName, useModel } from '../model/context.ts'
import { isFinal } from '../model/final.ts'
import type { ScreenProps } from '../module.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { circleAlertIcon, clockIcon } from '../ui/icons.ts'
import { Body } from './Body.tsx'
import { useRooms } from './context.ts'
import { Conversation } from './Conversation.tsx'
import { Head } from './Head.tsx'
import { placeOf } from './links.ts'
import { useRights } from './rights.ts'
import { text } from './text.ts'
import './channel.css'
import './message.css'

const Outside = lazy(() => import('../channels/Outside.tsx'))

/** Channel is the screen of a channel: its head, what is said in it, and where one writes. */
export default function Channel(props: ScreenProps<{ readonly channel: string; readonly message?: string }>) {
  const model = useModel()
  const rights = useRights(() => model.channel(props.params.channel))
  return (
    <Show when={props.params.channel} keyed>
      {(id) => (
        <Show when={model.channel(id)} fallback={<Gone channel={id} ready={model.ready()} />}>
          {(channel) => (
            <div class="channel">
              <Conversation channel={id} root={0} name={channel().name ? text().channel(channel().name) : channelName(model, channel())} place={placeOf(props.params.message)} silent={channel().archived ? text().archived : rights()?.post !== false ? undefined : text().postingModerators} head={() => <Head channel={channel()} />} />
            </div>
          )}
        </Show>
      )}
    </Show>
  )
}

/** Gone is a channel that one isn't in, with what was written to it and not sent: who was removed may not lose that. What may be read all the same is shown. */
function Gone(props: { readonly channel: string; readonly ready: boolean }) {
  const rooms = useRooms()
  const model = useModel()
  /** undefined: there is none, or one may not know of it. */
  const look = (id: string) =>
    model.preview(id).catch((cause: unknown) => {
      if (isFinal(cause)) return undefined
      throw cause
    })
  const [preview, { refetch }] = createResource(() => props.ready && props.channel, look)
  return (
    <Show when={props.ready} fallback={<Skeleton />}>
      <ul class="unsent" aria-label={text().unsent}>
        <Index each={rooms.unsent(props.channel)}>
          {(unsent) => (
            <li class="message" data-state={unsent().cause === undefined ? 'waiting' : 'refused'}>
              <Body text={unsent().text} />
              <div class="message-state" classList={{ 'message-failed': unsent().cause !== undefined }} role="status">
                <Icon path={unsent().cause === undefined ? clockIcon : circleAlertIcon} small />
                <span>{unsent().cause === undefined ? text().state.waiting : `${text().state.refused}: ${explain(unsent().cause)}`}</span>
                <Show when={unsent().cause !== undefined}>
                  <Button size="small" onClick={() => rooms.retry(unsent().seq)}>
                    {text().retry}
                  </Button>
                  <Button size="small" kind="quiet" onClick={() => rooms.drop(unsent().seq)}>
                    {text().drop}
                  </Button>
                </Show>
              </div>
            </li>
          )}
        </Index>
      </ul>
      <Suspense fallback={<Skeleton />}>
        <Switch fallback={<Skeleton />}>
          <Match when={preview.state === 'ready' ? preview() : undefined}>{(found) => <Outside id={props.channel} preview={found()} />}</Match>
          <Match when={preview.state === 'ready'}>
            <EmptyState title={text().gone} words={text().goneWhy}>
              <a class="button button-primary" href="/browse">
                {text().browse}
              </a>
            </EmptyState>
          </Match>
          <Match when={preview.state === 'errored'}>
            <EmptyState title={text().notRead(text().thisChannel)} words={explain(preview.error)}>
              <Button kind="primary" onClick={() => void refetch()}>
                {text().retry}
              </Button>
            </EmptyState>
          </Match>
          {/* It isn't read before there is an answer: that would suspend what says so. */}
          <Match when={away(model)}>
            <EmptyState title={text().notKept(text().thisChannel)} words={text().channelNotKeptWhy} />
          </Match>
        </Switch>
      </Suspense>
    </Show>
  )
}
