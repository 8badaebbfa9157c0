import { createSignal, Match, Switch as Choose } from 'solid-js'
import { prefer, preferences } from '../shell/preferences.ts'
import { Banner } from '../ui/Banner.tsx'
import { Button } from '../ui/Button.tsx'
import { Choice, Switch } from '../ui/Field.tsx'
import { bellIcon, bellOffIcon, circleCheckIcon } from '../ui/icons.ts'
import { text } from './text.ts'

/** Notifications asks for the browser's permission by a click, and never otherwise. */
export default function Notifications() {
  const supported = 'Notification' in window
  const [permission, setPermission] = createSignal(supported ? Notification.permission : 'denied')
  const ask = async () => setPermission(await Notification.requestPermission())
  const choice = (value: 'all' | 'mentions' | 'none') => (
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
        <Choose>
          <Match when={!supported}>
            <Banner icon={bellOffIcon}>{text().notifications.unsupported}</Banner>
          </Match>
          <Match when={permission() === 'granted'}>
            <Banner icon={circleCheckIcon}>{text().notifications.granted}</Banner>
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
                <Button size="small" kind="primary" onClick={() => void ask()}>
                  {text().notifications.ask}
                </Button>
              }
            >
              {text().notifications.askWhy}
            </Banner>
          </Match>
        </Choose>
      </section>
      <section class="settings-part">
        <fieldset>
          <legend class="settings-legend">{text().notifications.about}</legend>
          {choice('all')}
          {choice('mentions')}
          {choice('none')}
          <p class="field-hint">{text().notifications.perChannel}</p>
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
    </>
  )
}
