import { createSignal, Show } from 'solid-js'
import { text } from '../i18n/en.ts'
import { account, may, personName, useModel } from '../model/context.ts'
import type { Model, Presence, Quiet } from '../model/model.ts'
import { endWords, pausedWords } from '../notify/pause.ts'
import { Avatar, presenceWords } from '../ui/Avatar.tsx'
import { IconButton } from '../ui/Button.tsx'
import { Icon, Mark } from '../ui/Icon.tsx'
import { bellIcon, bellOffIcon, circleQuestionMarkIcon, faceSlightlySmilingPlusIcon, logOutIcon, menuIcon, monitorIcon, moonIcon, searchIcon, settingsIcon, shieldIcon, sunIcon, userRoundIcon } from '../ui/icons.ts'
import { Keys } from '../ui/Kbd.tsx'
import { Menu, type MenuItem } from '../ui/Menu.tsx'
import { useShell } from './context.ts'
import { prefer, preferences } from './preferences.ts'

/** TopBar has the workspace, the way into the palette, help and the account. */
export function TopBar(props: { readonly drawer: boolean; readonly onDrawer: () => void }) {
  const model = useModel()
  const shell = useShell()
  return (
    <header class="topbar on-ground" data-part>
      <div class="topbar-start">
        <span class="drawer-button">
          <IconButton icon={menuIcon} label={text().shell.menu} aria-expanded={props.drawer} onClick={() => props.onDrawer()} />
        </span>
        <a class="workspace" href="/">
          <Mark />
          <span class="clip">{account(model)?.workspace.name}</span>
        </a>
      </div>
      <button type="button" class="seek" data-part-start onClick={() => shell.openPalette()}>
        <Icon path={searchIcon} small />
        <span class="seek-words clip">{text().shell.search}</span>
        <Keys chord="Mod+K" />
      </button>
      <div class="topbar-end">
        <Paused />
        <IconButton icon={circleQuestionMarkIcon} label={text().shell.help} keys="?" onClick={() => shell.openDialog(() => import('./KeyMap.tsx'))} />
        <AccountMenu />
      </div>
    </header>
  )
}

const loadPausing = () => import('../notify/pausing.ts')

/** silent is the pause that goes on; undefined: there is none. */
function silent(model: Model): Extract<Quiet, { on: true }> | undefined {
  const quiet = model.quiet()
  return quiet?.on ? quiet : undefined
}

/** own is how one is oneself: of who looks offline, with what they say all the same, which nobody else is shown. */
function own(model: Model): Presence & { readonly hidden: boolean } {
  const seen = model.presence(account(model)?.me ?? '')
  const chosen = model.status()
  return chosen?.state === 'invisible' ? { ...seen, state: 'offline', emoji: chosen.emoji, text: chosen.text, hidden: true } : { ...seen, hidden: false }
}

/** Paused says that nothing is told now, and until when. */
function Paused() {
  const model = useModel()
  const shell = useShell()
  return (
    <Show when={silent(model)}>
      {(quiet) => (
        <button type="button" class="paused" aria-label={pausedWords(quiet().until)} data-tip={pausedWords(quiet().until)} onClick={() => shell.go('/settings/notifications')}>
          <Icon path={bellOffIcon} small />
          <Show when={quiet().until}>{(until) => <span class="paused-end numbers">{endWords(until(), Date.now())}</span>}</Show>
        </button>
      )}
    </Show>
  )
}

function AccountMenu() {
  const model = useModel()
  const shell = useShell()
  const me = () => account(model)?.me ?? ''
  const name = () => personName(model.person(me()), me())
  const theme = (to: 'light' | 'dark' | 'system', icon: string): MenuItem => ({
    label: text().account.theme[to],
    icon,
    checked: preferences().theme === to,
    run: () => prefer({ theme: to }),
  })
  const [other, setOther] = createSignal<readonly MenuItem[]>() // in place of the usual ones
  const usually = () => {
    setOther()
  }
  const silence = (): MenuItem =>
    model.quiet()?.on
      ? { label: text().account.resume, icon: bellIcon, run: () => void loadPausing().then(({ resume }) => resume(model)) }
      : { label: text().account.pause, icon: bellOffIcon, stays: true, run: () => loadPausing().then(({ pauseItems }) => { setOther(pauseItems(model, usually)) }) }
  const items = (): readonly MenuItem[] => [
    { label: text().account.status, icon: faceSlightlySmilingPlusIcon, run: () => shell.openDialog(() => import('../settings/Status.tsx')) },
    silence(),
    { label: text().account.profile, icon: userRoundIcon, run: () => shell.go('/settings/profile') },
    { label: text().account.settings, icon: settingsIcon, run: () => shell.go('/settings/appearance') },
    ...(may(model, 'identity.manage') ? [{ label: text().account.administration, icon: shieldIcon, run: () => shell.go('/admin/people') }] : []),
    'line',
    theme('light', sunIcon),
    theme('dark', moonIcon),
    theme('system', monitorIcon),
    'line',
    { label: text().account.signOut, icon: logOutIcon, run: () => shell.openDialog(() => import('./SignOut.tsx')) },
  ]
  return (
    <Menu
      label={text().shell.account(name())}
      align="end"
      items={other() ?? items()}
      onClose={usually}
      head={
        <div class="account-head">
          <Avatar id={me()} name={name()} size="large" />
          <div class="clip">
            <div class="strong clip">{name()}</div>
            <div class="faint clip">{own(model).hidden ? text().account.hidden : presenceWords(own(model))}</div>
            <Show when={silent(model)}>{(quiet) => <div class="account-paused">{pausedWords(quiet().until)}</div>}</Show>
          </div>
        </div>
      }
      button={(properties) => (
        <button type="button" class="account-button" {...properties}>
          <span class="unseen">{text().shell.account(name())}</span>
          <Avatar id={me()} name={name()} presence={own(model)} />
          <Show when={own(model).emoji}>
            <span aria-hidden="true">
              {own(model).emoji}
            </span>
          </Show>
        </button>
      )}
    />
  )
}
