import { For, lazy, Show, Suspense } from 'solid-js'
import { Dynamic } from 'solid-js/web'
import { may, useModel } from '../model/context.ts'
import type { ScreenProps } from '../module.ts'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Icon } from '../ui/Icon.tsx'
import { hashIcon, mailPlusIcon, scrollTextIcon, usersIcon } from '../ui/icons.ts'
import { text } from './text.ts'
import '../settings/settings.css'

const pages = {
  people: { icon: usersIcon, part: lazy(() => import('./People.tsx')) },
  invitations: { icon: mailPlusIcon, part: lazy(() => import('./Invitations.tsx')) },
  channels: { icon: hashIcon, part: lazy(() => import('./Channels.tsx')) },
  audit: { icon: scrollTextIcon, part: lazy(() => import('./Audit.tsx')) },
} as const

type PageName = keyof typeof pages
const names = Object.keys(pages) as readonly PageName[]

/** Admin is what owners and administrators see. The services decide what is done: this only offers. */
export default function Admin(props: ScreenProps<{ readonly page: string }>) {
  const model = useModel()
  const page = (): PageName => names.find((name) => name === props.params.page) ?? 'people'
  return (
    <div class="page">
      <Show when={may(model, 'identity.manage')} fallback={<EmptyState title={text().forbidden} words={text().forbiddenWhy} />}>
        <div class="settings settings-wide">
          <nav class="settings-nav" aria-label={text().title}>
            <h1 class="page-title">{text().title}</h1>
            <ul>
              <For each={names}>
                {(name) => (
                  <li>
                    <a class="settings-link" href={`/admin/${name}`} aria-current={page() === name ? 'page' : undefined}>
                      <Icon path={pages[name].icon} />
                      {text().pages[name]}
                    </a>
                  </li>
                )}
              </For>
            </ul>
          </nav>
          <div class="settings-page">
            <Suspense fallback={<Skeleton rows={3} />}>
              <Dynamic component={pages[page()].part} />
            </Suspense>
          </div>
        </div>
      </Show>
    </div>
  )
}
