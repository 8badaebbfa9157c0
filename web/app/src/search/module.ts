/** Search: messages by their words. */
import { text } from '../i18n/en.ts'
import { route, type Manifest, type Shell } from '../module.ts'
import { searchIcon } from '../ui/icons.ts'

/** searchPath is the screen with these words. */
export const searchPath = (words: string) => (words === '' ? '/search' : `/search?${new URLSearchParams({ q: words }).toString()}`)

export const manifest: Manifest = {
  name: 'search',
  routes: [{ ...route('/search', () => import('./Search.tsx')), title: () => text().command.searchMessages }],
  commands: [
    { id: 'search.open', group: 'go', title: () => text().command.searchMessages, icon: searchIcon, keys: ['Mod+Shift+F'], words: 'find look words history', run: (shell) => shell.go('/search') },
  ],
  search: [
    {
      id: 'search',
      title: () => text().command.searchMessages,
      search: (words) => Promise.resolve([{ id: 'search', title: text().command.searchFor(words), icon: searchIcon, run: (shell: Shell) => shell.go(searchPath(words)) }]),
    },
    { id: 'messages', title: () => text().sidebar.messages, search: async (words, model, signal) => (await import('./provider.ts')).find(words, model, signal) },
  ],
}
