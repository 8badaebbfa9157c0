/**
 * The gallery: the application over the sample model, to be looked at and tested. /gallery.html?stage=signed-out&connection=offline&path=/c/design&theme=dark&contrast=more&
 * locale=pseudo-rtl&storage=full&version=later&open=palette&empty&arriving&paused
 */
import '../ui/style.ts'
import { render } from 'solid-js/web'
import { App } from '../App.tsx'
import { sampleModel, type Variant } from '../model/sample.ts'
import type { Connection, Kept, Stage } from '../model/model.ts'
import { manifest as chat } from '../chat/module.ts'
import { manifest as inbox } from '../inbox/module.ts'
import { register } from '../module.ts'
import { offer } from '../offline/version.ts'
import { manifest as search } from '../search/module.ts'
import { manifest as shell } from '../shell/module.ts'
import { sampleRooms } from './rooms.ts'
import { prefer, type Preferences } from '../shell/preferences.ts'

const wanted = new URLSearchParams(window.location.search)

function connection(): Connection {
  switch (wanted.get('connection')) {
    case 'offline':
      return { kind: 'offline', retryAt: undefined }
    case 'retrying':
      return { kind: 'offline', retryAt: Date.now() + 9_000 }
    case 'connecting':
      return { kind: 'connecting' }
    case 'outdated':
      return { kind: 'outdated' }
    default:
      return { kind: 'online' }
  }
}

const variant: Variant = {
  stage: (wanted.get('stage') ?? 'signed-in') as Stage['kind'],
  connection: connection(),
  sending: Number(wanted.get('sending') ?? 0),
  storage: (wanted.get('storage') ?? 'kept') as Kept,
  empty: wanted.has('empty'),
  arriving: wanted.has('arriving'),
  paused: wanted.has('paused'),
}

prefer({
  theme: (wanted.get('theme') ?? 'light') as Preferences['theme'],
  contrast: (wanted.get('contrast') ?? 'usual') as Preferences['contrast'],
  motion: (wanted.get('motion') ?? 'less') as Preferences['motion'],
  locale: (wanted.get('locale') ?? 'en') as Preferences['locale'],
})
if (wanted.get('version') === 'later') offer({ postMessage: () => undefined } as unknown as ServiceWorker)
history.replaceState(null, '', (wanted.get('path') ?? '/') + window.location.hash)

const root = document.getElementById('app')
if (root) {
  root.textContent = ''
  render(() => {
    const live = { model: sampleModel(variant), rooms: sampleRooms(variant.empty ?? false) }
    return <App access={live.model.access} live={live} registry={register([shell, chat, inbox, search])} />
  }, root)
}

// What is to be opened, by its keys: "k" is the palette, "?" the keyboard map.
const open = wanted.get('open')
if (open) {
  setTimeout(() => {
    if (open === 'palette') document.querySelector<HTMLElement>('.seek')?.click()
    else if (open === 'keys') document.querySelector<HTMLElement>('.topbar-end .icon-button')?.click()
    else document.querySelector<HTMLElement>(open)?.click()
  }, 300)
}
