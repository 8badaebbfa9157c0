import { createMemo, For, Match, Show, Switch as Choose } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { explain } from '../i18n/refusals.ts'
import { channelName, useModel } from '../model/context.ts'
import type { Channel, NotifyLevel } from '../model/model.ts'
import { askPermission, pageDesk, permission } from '../notify/desk.ts'
import { pausedWords } from '../notify/pause.ts'
import { pauseItems, resume } from '../notify/pausing.ts'
import { prefer, preferences, type Preferences } from '../shell/preferences.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { Choice, Select, Switch } from '../ui/Field.tsx'
import { bellIcon, bellOffIcon, circleCheckIcon } from '../ui/icons.ts'
import { Menu } from '../ui/Menu.tsx'
import { toast } from '../ui/toasts.ts'
import { text } from './text.ts'

/** Notifications asks for the browser's permission by a click, and never otherwise. */
export default function Notifications() {
  const choice = (value: Preferences['notify']) => (
    <Choice name="notify" label={text().notifications[value]} checked={preferences().notify === value} onChange={() => prefer({ notify: value })} />
  )
  return (
    <>
      <section class="settings-part">
        <header class="settings-head">
          <h2>{text().pages.notifications}</h2>
          <p class="soft">{text().notifications.lead}</p>
        </header>
        <h3>{text().notifications.browser}</h3>
        <Permission />
      </section>
      <Pausing />
      <section class="settings-part">
        <fieldset>
          <legend class="settings-legend">{text().notifications.about}</legend>
          {choice('all')}
          {choice('mentions')}
          {choice('none')}
          <p class="field-hint">{text().notifications.direct}</p>
        </fieldset>
        <div>
          <Switch label={text().notifications.sound} checked={preferences().sound === 'on'} onChange={(on) => prefer({ sound: on ? 'on' : 'off' })} />
          <Switch
            label={text().notifications.preview}
            hint={text().notifications.previewHint}
            checked={preferences().preview === 'on'}
            onChange={(on) => prefer({ preview: on ? 'on' : 'off' })}
          />
        </div>
      </section>
      <Exceptions />
    </>
  )
}

function Permission() {
  const test = () => void pageDesk.show({ tag: 'test', title: text().notifications.testTitle, body: text().notifications.testBody, onClick: () => undefined })
  return (
    <Choose>
      <Match when={permission() === 'unsupported'}>
        <Banner icon={bellOffIcon}>{text().notifications.unsupported}</Banner>
      </Match>
      <Match when={permission() === 'granted'}>
        <Banner
          icon={circleCheckIcon}
          does={
            <Button size="small" onClick={test}>
              {text().notifications.test}
            </Button>
          }
        >
          {text().notifications.granted}
        </Banner>
      </Match>
      <Match when={permission() === 'denied'}>
        <Banner kind="warn" icon={bellOffIcon}>
          {text().notifications.denied}
        </Banner>
      </Match>
      <Match when={permission() === 'default'}>
        <Banner
          icon={bellIcon}
          does={
            <Button size="small" kind="primary" onClick={() => void askPermission()}>
              {text().notifications.ask}
            </Button>
          }
        >
          {text().notifications.askWhy}
        </Banner>
      </Match>
    </Choose>
  )
}

/** Pausing silences all devices of the account. */
function Pausing() {
  const model = useModel()
  const paused = () => {
    const quiet = model.quiet()
    return quiet?.on ? quiet : undefined
  }
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h3>{text().notifications.paused}</h3>
        <p class="soft">{text().notifications.pausedWhy}</p>
      </header>
      <Show
        when={paused()}
        fallback={
          <div>
            <Menu
              label={text().notifications.pause}
              items={pauseItems(model)}
              button={(properties) => (
                <button type="button" class="button button-plain" {...properties}>
                  {text().notifications.pause}
                </button>
              )}
            />
          </div>
        }
      >
        {(quiet) => (
          <Banner
            kind="warn"
            icon={bellOffIcon}
            does={
              <Button size="small" onClick={() => void resume(model)}>
                {text().notifications.resume}
              </Button>
            }
          >
            {pausedWords(quiet().until)}
          </Banner>
        )}
      </Show>
    </section>
  )
}

/** Exceptions are the channels that are set otherwise: kept by the service, and the same on all devices. */
function Exceptions() {
  const model = useModel()
  const before = new Set<string>() // one that is set back stays in sight
  const shown = createMemo(() =>
    model.channels().filter((channel) => {
      if (channel.muted || channel.level !== 'default') before.add(channel.id)
      return before.has(channel.id)
    }),
  )
  const change = (channel: Channel, to: { readonly muted: boolean; readonly level: NotifyLevel }) => {
    model.setNotifications(channel.id, to).catch((error: unknown) =>
      toast(text().notifications.failed(channelName(model, channel)), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => change(channel, to) } }),
    )
  }
  return (
    <section class="settings-part">
      <header class="settings-head">
        <h3>{text().notifications.exceptions}</h3>
        <p class="soft">{shown().length > 0 ? text().notifications.exceptionsWhy : text().notifications.noExceptions}</p>
      </header>
      <Show when={shown().length > 0}>
        <ul class="exceptions">
          <For each={shown().map(({ id }) => id)}>
            {(id) => (
              <Show when={model.channel(id)}>
                {(channel) => (
                  <li class="exception">
                    <Select<NotifyLevel>
                      label={channel().name ? `#${channel().name}` : channelName(model, channel())}
                      value={channel().level}
                      options={(['default', 'all', 'mentions', 'none'] as const).map((level) => [level, text().notifications.levels[level]] as const)}
                      onChange={(level) => change(channel(), { muted: channel().muted, level })}
                    />
                    <Switch label={text().notifications.muted} checked={channel().muted} onChange={(muted) => change(channel(), { muted, level: channel().level })} />
                  </li>
                )}
              </Show>
            )}
          </For>
        </ul>
      </Show>
    </section>
  )
}
