/** What somebody chose for this browser: how it looks, and what it tells. Kept in the browser, so that the first paint has it. */
import { createSignal } from 'solid-js'
import { locales, type Locale } from '../i18n/locale.ts'
import { ofBrowser } from './stored.ts'

/** Each preference's choices; the first is the default. */
const choices = {
  theme: ['system', 'light', 'dark'],
  contrast: ['system', 'more', 'usual'],
  motion: ['system', 'less'],
  density: ['roomy', 'compact'],
  /** What of a channel on "default" is told outside of the page. */
  notify: ['mentions', 'all', 'none'],
  sound: ['off', 'on'],
  /** Whether notifications show what was written. */
  preview: ['on', 'off'],
  /** Whether it is still to be said that the browser can notify. */
  hint: ['on', 'off'],
  locale: ['system', ...locales],
} as const

export type Preferences = { readonly [K in keyof typeof choices]: (typeof choices)[K][number] }

const key = 'plenum.preferences'

/** parse is what a stored text says; what it doesn't say, or wrongly, is the default. */
export function parse(stored: string | null): Preferences {
  let found: Record<string, unknown> = {}
  try {
    const value: unknown = JSON.parse(stored ?? '{}')
    if (typeof value === 'object' && value !== null) found = value as Record<string, unknown>
  } catch {
    // not ours: the defaults
  }
  return Object.fromEntries(
    Object.entries(choices).map(([name, values]) => [name, (values as readonly unknown[]).includes(found[name]) ? found[name] : values[0]]),
  ) as unknown as Preferences
}

const [current, setCurrent] = createSignal<Preferences>(parse(ofBrowser.get(key)))

export const preferences = current

export function prefer(change: Partial<Preferences>): void {
  const next = { ...current(), ...change }
  setCurrent(next)
  ofBrowser.set(key, JSON.stringify(next))
}

/** followPreferences heeds changes made in other tabs. */
export function followPreferences(): void {
  window.addEventListener('storage', (event) => {
    if (event.key === key) setCurrent(parse(event.newValue))
  })
}

/** wantedLocale is the one to be shown; undefined: the browser's. */
export function wantedLocale(of: Preferences): Locale | undefined {
  return of.locale === 'system' ? undefined : of.locale
}
