/** Notifications outside of the page. */
import { createSignal } from 'solid-js'

export interface Note {
  /** Of one tag only the newest is there. */
  readonly tag: string
  readonly title: string
  readonly body: string
  readonly onClick: () => void
}

export interface Shown {
  close(): void
}

/** Desk is what shows them: the page's own, until a service worker's registration takes its place (showNotification), by which they outlive the page. */
export interface Desk {
  /** undefined: it can't. */
  show(note: Note): Shown | undefined
}

/** pageDesk shows them by the page. The sound is our own, if there is to be one. */
export const pageDesk: Desk = {
  show: ({ tag, title, body, onClick }) => {
    try {
      const options: NotificationOptions & { renotify: boolean } = { tag, body, icon: '/icon.svg', lang: document.documentElement.lang, renotify: true, silent: true }
      const shown = new Notification(title, options)
      shown.onclick = () => {
        shown.close()
        window.focus()
        onClick()
      }
      return shown
    } catch {
      return undefined // Chrome on Android has them by a service worker only
    }
  },
}

const supported = 'Notification' in globalThis
const [current, setCurrent] = createSignal<NotificationPermission | 'unsupported'>(supported ? Notification.permission : 'unsupported')

/** permission is the browser's; it follows what is set beside the address. */
export const permission = current

if (supported) {
  navigator.permissions.query({ name: 'notifications' }).then(
    (status) => { status.onchange = () => setCurrent(Notification.permission) },
    () => undefined, // it is read as the page is loaded
  )
}

/** askPermission has the browser ask. Only a click may call it. */
export async function askPermission(): Promise<void> {
  if (supported) setCurrent(await Notification.requestPermission())
}
