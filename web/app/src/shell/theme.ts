/** How the page looks: attributes of <html> that ui/tokens.css reads. */
import { createEffect } from 'solid-js'
import { locale, preferred, setLocale } from '../i18n/locale.ts'
import { preferences, wantedLocale } from './preferences.ts'
import { media } from './media.ts'

/** followTheme keeps <html> as the preferences and the system want it. */
export function followTheme(): void {
  const root = document.documentElement
  const dark = media('(prefers-color-scheme: dark)')
  const contrast = media('(prefers-contrast: more)')
  createEffect(() => {
    const { theme, contrast: wanted, motion, density } = preferences()
    root.dataset['theme'] = theme === 'system' ? (dark() ? 'dark' : 'light') : theme
    root.dataset['contrast'] = wanted === 'more' || (wanted === 'system' && contrast()) ? 'more' : 'usual'
    root.dataset['motion'] = motion
    root.dataset['density'] = density
    // The window's frame, as index.html has it for each theme of the system, is that of the theme in use.
    const frames = document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')
    for (const frame of frames) frame.media = frame.dataset['of'] === root.dataset['theme'] ? 'all' : 'not all'
  })
  createEffect(() => {
    const wanted = wantedLocale(preferences()) ?? preferred(navigator.languages)
    if (wanted !== locale()) void setLocale(wanted)
  })
}
