import { Match, Show, Switch } from 'solid-js'
import { useModel } from '../model/context.ts'
import type { ScreenProps } from '../module.ts'
import { useShell } from '../shell/context.ts'
import { Button } from '../ui/Button.tsx'
import { Skeleton } from '../ui/Empty.tsx'
import { checkCheckIcon } from '../ui/icons.ts'
import { Tabs } from '../ui/Tabs.tsx'
import { toast } from '../ui/toasts.ts'
import { Mentions } from './Mentions.tsx'
import { text } from './text.ts'
import { Threads } from './Threads.tsx'
import './inbox.css'

/** Inbox is what waits for the account: followed threads, and messages that name it. */
export default function Inbox(props: ScreenProps<{ readonly tab?: string }>) {
  const model = useModel()
  const shell = useShell()
  const tab = () => (props.params.tab === 'mentions' ? 'mentions' : 'threads')
  const unread = () => model.inbox.threads().filter((thread) => thread.unread > 0)
  const readAll = () => {
    const all = unread()
    for (const thread of all) model.inbox.read(thread)
    toast(text().allRead(all.length))
  }
  return (
    <div class="page">
      <div class="page-inside inbox">
        <header class="page-head">
          <h1 class="page-title">{text().title}</h1>
          <Show when={tab() === 'threads' && unread().length > 0}>
            <Button size="small" icon={checkCheckIcon} onClick={readAll}>
              {text().readAll}
            </Button>
          </Show>
        </header>
        <Tabs
          label={text().title}
          tabs={[
            // Together they are the number in the sidebar: a mention in an unread thread counts there.
            ['threads', text().threads, model.inbox.unreadThreads()],
            ['mentions', text().mentions, model.inbox.unread() - model.inbox.unreadThreads()],
          ]}
          value={tab()}
          onChange={(to) => shell.go(to === 'threads' ? '/inbox' : '/inbox/mentions')}
        >
          <Show when={model.inbox.known()} fallback={<Skeleton />}>
            <Switch>
              <Match when={tab() === 'threads'}>
                <Threads />
              </Match>
              <Match when={tab() === 'mentions'}>
                <Mentions />
              </Match>
            </Switch>
          </Show>
        </Tabs>
      </div>
    </div>
  )
}
