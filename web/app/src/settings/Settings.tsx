import { For, lazy, Show, Suspense } from 'solid-js'
import { Dynamic } from 'solid-js/web'
import type { ScreenProps } from '../module.ts'
import { Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { bellIcon, contrastIcon, laptopIcon, userRoundIcon } from '../ui/icons.ts'
import { text } from './text.ts'
import './settings.css'

const pages = {
  profile: { icon: userRoundIcon, part: lazy(() => import('./Profile.tsx')) },
  devices: { icon: laptopIcon, part: lazy(() => import('./Devices.tsx')) },
  notifications: { icon: bellIcon, part: lazy(() => import('./Notifications.tsx')) },
  appearance: { icon: contrastIcon, part: lazy(() => import('./Appearance.tsx')) },
} as const

type PageName = keyof typeof pages
const names = Object.keys(pages) as readonly PageName[]

/** Settings are one's own: of the account, and of this browser. */
export default function Settings(props: ScreenProps<{ readonly page: string }>) {
  const page = (): PageName => names.find((name) => name === props.params.page) ?? 'profile'
  return (
    <div class="page">
      <div class="settings">
        <nav class="settings-nav" aria-label={text().title}>
          <h1 class="page-title">{text().title}</h1>
          <ul>
            <For each={names}>
              {(name) => (
                <li>
                  <a class="settings-link" href={`/settings/${name}`} aria-current={page() === name ? 'page' : undefined}>
                    <Icon path={pages[name].icon} />
                    {text().pages[name]}
                  </a>
                </li>
              )}
            </For>
          </ul>
        </nav>
        <div class="settings-page">
          <Suspense fallback={<Skeleton rows={2} />}>
            <Show when={page()}>
              <Dynamic component={pages[page()].part} />
            </Show>
          </Suspense>
        </div>
      </div>
    </div>
  )
}
