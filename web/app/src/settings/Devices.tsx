import { createResource, createSignal, For, Show } from 'solid-js'
import { text as core } from '../i18n/en.ts'
import { moment, relative } from '../i18n/format.ts'
import { explain } from '../i18n/refusals.ts'
import { useModel } from '../model/context.ts'
import type { Device } from '../model/model.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { laptopIcon, smartphoneIcon } from '../ui/icons.ts'
import { toast } from '../ui/toasts.ts'
import { Storage } from './Storage.tsx'
import { text } from './text.ts'
import '../people/people.css'

export default function Devices() {
  const model = useModel()
  const [devices, { refetch }] = createResource(() => model.profile.devices())
  const [busy, setBusy] = createSignal<string>()
  const revoke = async (device: Device) => {
    setBusy(device.id)
    try {
      await model.profile.revoke(device.id)
      toast(text().devices.revoked(device.name))
      await refetch()
    } catch (error) {
      toast(text().devices.revokeFailed(device.name), { kind: 'failure', cause: explain(error), action: { label: core().retry, run: () => void revoke(device) } })
    }
    setBusy(undefined)
  }
  return (
    <>
    <section class="settings-part">
      <header class="settings-head">
        <h2>{text().pages.devices}</h2>
        <p class="soft">{text().devices.lead}</p>
      </header>
      <Show
        when={devices.error === undefined}
        fallback={
          <EmptyState title={text().devices.failed} words={explain(devices.error)}>
            <Button onClick={() => void refetch()}>{core().retry}</Button>
          </EmptyState>
        }
      >
        <Show when={devices.latest} fallback={<Skeleton rows={3} />}>
          {(all) => (
            <ul class="people-list">
              <For each={all()}>
                {(device) => (
                  <li class="person-row">
                    <span class="channel-sign">
                      <Icon path={/android|iphone|ios|mobile/i.test(`${device.name} ${device.agent}`) ? smartphoneIcon : laptopIcon} />
                    </span>
                    <span class="person-words">
                      <span class="strong clip">{device.name}</span>
                      <span class="faint clip" title={moment(device.seen)}>
                        {text().devices.seen(relative(device.seen, Date.now()))}
                      </span>
                    </span>
                    <Show when={!device.current} fallback={<span class="pill">{text().devices.here}</span>}>
                      <Button size="small" busy={busy() === device.id} aria-label={text().devices.signOutOf(device.name)} onClick={() => void revoke(device)}>
                        {text().devices.signOut}
                      </Button>
                    </Show>
                  </li>
                )}
              </For>
              <Show when={all().length <= 1}>
                <li>
                  <EmptyState title={text().devices.none} words={text().devices.noneWhy} />
                </li>
              </Show>
            </ul>
          )}
        </Show>
      </Show>
    </section>
    <Storage />
    </>
  )
}
