import { createComputed, createEffect, createMemo, createSignal, ErrorBoundary, getOwner, lazy, on, onCleanup, onMount, runWithOwner, Show, Suspense, untrack, type Accessor, type Component, type JSX } from 'solid-js'
import { Dynamic } from 'solid-js/web'
import { text } from '../i18n/en.ts'
import { account, between, channelName, may, titleCount, useModel } from '../model/context.ts'
import { whenIdle } from '../offline/idle.ts'
import { renew } from '../offline/version.ts'
import type { PanelProps, Registry, Route, ScreenProps, Shell as Around } from '../module.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState, Skeleton } from '../ui/Empty.tsx'
import { Toasts } from '../ui/Toasts.tsx'
import { toast } from '../ui/toasts.ts'
import { Tooltips } from '../ui/Tooltip.tsx'
import { ShellProvider, useShell } from './context.ts'
import { enterPart, followKeys } from './keyboard.ts'
import { narrow } from './media.ts'
import { newChannel } from './module.ts'
import { Notices } from './Notices.tsx'
import { PaletteComes } from './PaletteComes.tsx'
import { find, within } from './paths.ts'
import { visited } from './recent.ts'
import type { Router } from './router.ts'
import { Sidebar } from './Sidebar.tsx'
import { ofBrowser, ofTab, personal } from './stored.ts'
import { TopBar } from './TopBar.tsx'
import './shell.css'

/** A module's part is loaded once, however often it is shown; what is loaded by a function that is made for it goes with that. */
const loaded = new WeakMap<object, Component<never>>()
function once<P extends object>(load: () => Promise<{ readonly default: Component<P> }>): Component<P> {
  let part = loaded.get(load) as Component<P> | undefined
  if (!part) {
    part = lazy(load)
    loaded.set(load, part)
  }
  return part
}

const Palette = lazy(() => import('./palette/Palette.tsx'))
const Notify = lazy(() => import('../notify/Notify.tsx'))

/** How long the first channel is looked for by its name, in ms. */
const namesWait = 3000

interface OpenPanel {
  readonly part: Component<PanelProps>
  readonly params: Readonly<Record<string, string>>
}

/** The title of a page that shows no place. */
const untitled = document.title

/** Shell is the application's frame for who is signed in. */
export function Shell(props: { readonly registry: Registry; readonly router: Router }) {
  const model = useModel()
  const [drawer, setDrawer] = createSignal(false)
  const [palette, setPalette] = createSignal<string>()
  const [dialog, setDialog] = createSignal<Component<{ readonly onClose: () => void }>>()
  const [opened, setOpened] = createSignal<OpenPanel>()

  const found = createMemo(() => find(props.registry.routes, props.router.path()))
  const channelId = createMemo(() => {
    const at = found()
    return at?.route.channel === undefined ? undefined : at.params[at.route.channel]
  })
  const panel = createMemo((): OpenPanel | undefined => {
    const at = found()
    return opened() ?? (at?.route.panel ? { part: once(at.route.panel), params: at.params } : undefined)
  })

  // By whatever the pane was opened (a button, a link, a command, the history), that has the focus again when it is closed.
  let before: Element | null = null
  createComputed(on(panel, (now, was) => {
    if (now && !was) before = document.activeElement
  }))
  const giveBack = (to: Element | null) => {
    before = null
    const there = to instanceof HTMLElement && to.isConnected && to !== document.body
    ;(there ? to : document.getElementById('main'))?.focus()
  }
  // Where it covers the screen, it has the focus from the start, and what is in it passes that on when it is there: what is covered can't keep it.
  let pane: HTMLElement | undefined
  createEffect(on([panel, narrow], ([now, covers]) => {
    if (now && covers && !pane?.contains(document.activeElement)) pane?.focus()
  }, { defer: true }))

  const shell: Around = {
    model,
    registry: props.registry,
    path: props.router.path,
    query: props.router.query,
    channel: channelId,
    go: (path, options) => props.router.go(path, options),
    openPanel: (name, params = {}) => {
      const wanted = props.registry.panels.find((one) => one.name === name)
      if (!wanted) throw new Error(`no module has a panel ${name}`)
      setOpened({ part: once(wanted.load), params })
    },
    closePanel: () => {
      const back = before
      const channel = channelId()
      if (opened()) setOpened(undefined)
      else if (channel !== undefined) props.router.go(`/c/${channel}`)
      if (panel()) pane?.focus() // another one has come in its place
      else giveBack(back)
    },
    panelOpen: () => panel() !== undefined,
    openPalette: (words) => setPalette((now) => words ?? now ?? ''),
    openDialog: (load) => {
      setPalette(undefined)
      setDialog(() => once(load))
    },
  }
  followKeys(shell)

  // What most will open soon is there by then, and opens at once; and what arrives is told.
  const [idle, setIdle] = createSignal(false)
  onMount(() =>
    whenIdle(() => {
      void Palette.preload().catch(() => undefined) // it is asked for again when it is opened
      setIdle(true)
    }),
  )
  let sidebar!: HTMLDivElement
  const toggleDrawer = (open: boolean) => {
    setDrawer(open)
    if (open) enterPart(sidebar)
    else document.querySelector<HTMLElement>('.drawer-button button')?.focus()
  }

  // Another place: what was opened beside the old one goes, before it is looked where the focus is; and so does the drawer.
  createComputed(on(props.router.path, () => setOpened(undefined), { defer: true }))
  createEffect(on(props.router.path, () => {
    setDrawer(false)
    const lost = document.activeElement === document.body
    if (lost && !panel()) giveBack(before)
    else if (lost) document.getElementById('main')?.focus()
    else if (!panel()) before = null
  }, { defer: true }))

  // "/" is the channel that was read last, in this tab, else in this browser; else the first one, once their names have come, or don't.
  const [named, setNamed] = createSignal(false)
  const late = setTimeout(() => setNamed(true), namesWait)
  onCleanup(() => clearTimeout(late))
  createEffect(() => {
    const path = props.router.path()
    if (path !== '/') return
    const channels = model.channels()
    const first = channels[0] // what has no name yet comes first
    const to = lastChannel(channels.map((channel) => channel.id)) ?? (first && (named() || first.name !== '' || between(first)) ? first.id : undefined)
    if (to !== undefined) props.router.go(`/c/${to}`, { replace: true })
  })
  createEffect(() => {
    const channel = channelId()
    if (channel !== undefined) untrack(() => visited(channel))
  })
  const inside = createMemo(() => model.channel(channelId() ?? '')?.id) // one that somebody only looks at is not where they go on
  createEffect(() => {
    const channel = inside()
    if (channel === undefined) return
    ofTab.set(personal.channel, channel)
    ofBrowser.set(personal.channel, channel)
  })

  const place = () => {
    const channel = channelId() === undefined ? undefined : model.channel(channelId() ?? '')
    if (channel) return channelName(model, channel)
    const path = props.router.path()
    if (found() === undefined && path !== '/') return text().shell.notFound
    return props.registry.places.find((one) => within(path, one.path))?.title() ?? found()?.route.title?.() ?? text().shell.home
  }
  const unread = createMemo(() => titleCount(model.channels()) + props.registry.places.reduce((sum, one) => sum + (one.beside?.(model) ?? 0), 0))
  createEffect(() => { document.title = text().shell.title(unread(), place(), account(model)?.workspace.name ?? '') })
  createEffect(() => { tabIcon(unread() > 0 ? 'tab-unread' : 'tab') })
  onCleanup(() => { // the way in has no place's name, and nothing that is unread
    document.title = untitled
    tabIcon('tab')
  })

  return (
    <ShellProvider value={shell}>
      <div class="shell" data-drawer={drawer() ? '' : undefined} data-pane={panel() ? '' : undefined} data-channel={channelId() === undefined ? undefined : ''}>
        <a class="skip" href="#main" onClick={(event) => skip(event)}>
          {text().shell.skip}
        </a>
        <TopBar drawer={drawer()} onDrawer={() => toggleDrawer(!drawer())} />
        <div ref={sidebar} class="drawer" inert={narrow() && !drawer()} onKeyDown={(event) => event.key === 'Escape' && drawer() && toggleDrawer(false)}>
          <Sidebar />
        </div>
        <Show when={drawer()}>
          <div class="scrim" onClick={() => toggleDrawer(false)} />
        </Show>
        <main class="main" id="main" tabIndex={-1} data-part inert={narrow() && panel() !== undefined /* which covers it */}>
          <Broken>
            <Suspense fallback={<Skeleton />}>
              <Show when={found()} fallback={<Nothing known={props.router.path() !== '/'} />}>
                {(at) => <Screen route={at().route} params={at().params} />}
              </Show>
            </Suspense>
          </Broken>
        </main>
        <Show when={panel()}>
          {(at) => (
            <aside ref={pane} class="pane" tabIndex={-1} aria-label={text().shell.pane} data-part>
              <Broken>
                <Suspense fallback={<Skeleton rows={3} />}>
                  <Dynamic component={at().part} params={at().params} onClose={() => shell.closePanel()} />
                </Suspense>
              </Broken>
            </aside>
          )}
        </Show>
        <Notices />
      </div>
      <Show when={palette() !== undefined}>
        <Closing onClose={() => setPalette(undefined)}>
          <Suspense fallback={<PaletteComes words={palette() ?? ''} onWords={setPalette} onClose={() => setPalette(undefined)} />}>
            <Palette shell={shell} words={palette() ?? ''} onClose={() => setPalette(undefined)} />
          </Suspense>
        </Closing>
      </Show>
      <Show when={dialog()}>
        {(part) => (
          <Closing onClose={() => setDialog(undefined)}>
            <Suspense>
              <Dynamic component={part()} onClose={() => setDialog(undefined)} />
            </Suspense>
          </Closing>
        )}
      </Show>
      <Suspense>
        <Show when={idle()}>
          <Notify />
        </Show>
      </Suspense>
      <Toasts />
      <Tooltips />
    </ShellProvider>
  )
}

/** Screen stays as long as it is of the same part: from one channel to the next only its params change. */
function Screen(props: { readonly route: Route; readonly params: ScreenProps['params'] }) {
  const part = createMemo(() => once(props.route.screen))
  const params = each(() => props.params)
  return <Dynamic component={part()} params={params} />
}

/** each has every param as a signal of its own: who reads `channel` isn't told that `root` has changed. */
function each(params: () => ScreenProps['params']): ScreenProps['params'] {
  const owner = getOwner()
  const memos = new Map<string, Accessor<string | undefined>>()
  return new Proxy<Record<string, string>>(
    {},
    {
      get: (_, name) => {
        if (typeof name !== 'string') return undefined
        let memo = memos.get(name)
        if (!memo) {
          memo = runWithOwner(owner, () => createMemo(() => params()[name])) ?? (() => params()[name])
          memos.set(name, memo)
        }
        return memo()
      },
    },
  )
}

/** Broken is what is shown in place of a part that failed; the rest goes on. */
function Broken(props: { readonly children: JSX.Element }) {
  return (
    <ErrorBoundary
      fallback={(error: unknown, reset) => {
        console.error(error)
        return (
          <EmptyState title={text().shell.wentWrong} words={text().shell.wentWrongWhy}>
            <Button kind="primary" onClick={reset}>
              {text().retry}
            </Button>
            <Button onClick={() => void renew()}>{text().shell.reload}</Button>
          </EmptyState>
        )
      }}
    >
      {props.children}
    </ErrorBoundary>
  )
}

/** Closing closes what lies over the shell where it failed, or could not be loaded, and says so; the shell goes on. */
function Closing(props: { readonly onClose: () => void; readonly children: JSX.Element }) {
  return (
    <ErrorBoundary
      fallback={(error: unknown) => {
        console.error(error)
        toast(text().shell.wentWrong, { kind: 'failure', cause: text().shell.wentWrongWhy, action: undefined })
        queueMicrotask(() => props.onClose())
        return undefined
      }}
    >
      {props.children}
    </ErrorBoundary>
  )
}

/** Nothing is shown where a path leads to nothing, and, at "/", to whom no channel is known. */
function Nothing(props: { readonly known: boolean }) {
  const model = useModel()
  const shell = useShell()
  const makes = () => may(model, 'chat.create_channel')
  return (
    <Show when={props.known || (model.ready() && model.channels().length === 0)} fallback={<Skeleton />}>
      <Show
        when={!props.known}
        fallback={
          <EmptyState title={text().shell.notFound} words={text().shell.notFoundWhy}>
            <a class="button button-primary" href={model.channels().length > 0 ? '/' : '/browse'}>
              {model.channels().length > 0 ? text().shell.toStart : text().sidebar.browse}
            </a>
          </EmptyState>
        }
      >
        <EmptyState title={text().shell.welcome(account(model)?.workspace.name ?? '')} words={makes() ? text().shell.welcomeWhy : text().shell.welcomeGuest}>
          <Show when={makes()}>
            <Button kind="primary" onClick={() => shell.openDialog(newChannel)}>
              {text().sidebar.newChannel}
            </Button>
          </Show>
          <a class="button" href="/browse">
            {text().sidebar.browse}
          </a>
        </EmptyState>
      </Show>
    </Show>
  )
}

function skip(event: MouseEvent): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

/** tabIcon sets the tab's picture, of icons/. It is read anew whenever it is set, also to what it is. */
function tabIcon(name: string): void {
  const link = document.querySelector('link[rel="icon"]')
  const href = `/icons/${name}.png`
  if (link?.getAttribute('href') !== href) link?.setAttribute('href', href)
}

function lastChannel(known: readonly string[]): string | undefined {
  return [ofTab, ofBrowser].map((kept) => kept.get(personal.channel)).find((last) => last !== null && known.includes(last)) ?? undefined
}
