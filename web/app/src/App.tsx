import { createComputed, ErrorBoundary, Match, Show, Suspense, Switch } from 'solid-js'
import { RoomsProvider } from './chat/context.ts'
import type { Rooms } from './chat/room.ts'
import { text } from './i18n/en.ts'
import { AccessProvider, ModelProvider } from './model/context.ts'
import type { Access, Model } from './model/model.ts'
import type { Registry } from './module.ts'
import { renew } from './offline/version.ts'
import { followPreferences } from './shell/preferences.ts'
import { createRouter } from './shell/router.ts'
import { Shell } from './shell/Shell.tsx'
import { followTheme } from './shell/theme.ts'
import SignIn from './signin/SignIn.tsx'
import { createWelcome } from './signin/welcome.ts'
import { Button } from './ui/Button.tsx'
import { EmptyState } from './ui/Empty.tsx'
import { Mark } from './ui/Icon.tsx'

export interface AppProps {
  readonly access: Access
  /** Of who is signed in; undefined: not loaded yet. An error: why it can't be. */
  readonly live: { readonly model: Model; readonly rooms: Rooms } | Error | undefined
  readonly registry: Registry
}

/** App is the whole application over a model: the way in, or the shell. */
export function App(props: AppProps) {
  const router = createRouter()
  const welcome = createWelcome()
  followPreferences()
  followTheme()
  const stage = () => props.access.stage().kind
  let last: string | undefined // who was here
  createComputed(() => {
    const now = props.access.stage()
    const who = now.kind === 'signed-in' ? now.account.me : last
    // Where somebody was, and what they looked for, stands in the address: whoever comes next begins anew.
    if (last !== undefined && (now.kind === 'signed-out' || who !== last)) router.go('/', { replace: true })
    last = who
  })
  const live = () => {
    if (props.live instanceof Error) throw props.live
    return stage() === 'signed-in' && props.live
  }
  return (
    <AccessProvider value={props.access}>
      <ErrorBoundary
        fallback={(error: unknown) => {
          console.error(error)
          return (
            <EmptyState title={text().shell.wentWrong} words={text().shell.wentWrongWhy}>
              <Button kind="primary" onClick={() => void renew()}>
                {text().shell.reload}
              </Button>
            </EmptyState>
          )
        }}
      >
        <Suspense fallback={<Boot />}>
          <Switch fallback={<Boot />}>
            <Match when={welcome.secret() !== undefined || stage() === 'signed-out' || stage() === 'expired'}>
              <SignIn welcome={welcome} />
            </Match>
            <Match when={live()}>
              {(there) => (
                <ModelProvider value={there().model}>
                  <Show when={!welcome.first()} fallback={<SignIn welcome={welcome} />}>
                    <RoomsProvider value={there().rooms}>
                      <Shell registry={props.registry} router={router} />
                    </RoomsProvider>
                  </Show>
                </ModelProvider>
              )}
            </Match>
          </Switch>
        </Suspense>
      </ErrorBoundary>
    </AccessProvider>
  )
}

/** Boot is what index.html shows before the script is there: the same picture, and a word for those who don't see it, that has the font come. */
function Boot() {
  return (
    <div class="boot" role="status">
      <Mark />
      <span class="unseen">{text().loading}</span>
    </div>
  )
}
