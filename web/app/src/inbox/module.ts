/** The inbox: what was said to the account, in threads that it follows and by its name. */
import { text } from '../i18n/en.ts'
import { route, type Manifest } from '../module.ts'
import { atSignIcon, inboxIcon } from '../ui/icons.ts'

const screen = () => import('./Inbox.tsx')

export const manifest: Manifest = {
  name: 'inbox',
  routes: [route('/inbox', screen), route('/inbox/:tab', screen)],
  places: [{ path: '/inbox', icon: inboxIcon, title: () => text().sidebar.inbox, count: (model) => model.inbox.unread(), beside: (model) => model.inbox.unreadThreads(), first: true }],
  commands: [
    { id: 'inbox.open', group: 'go', title: () => text().sidebar.inbox, icon: inboxIcon, keys: ['Alt+I'], words: 'threads replies unread activity notifications', run: (shell) => shell.go('/inbox') },
    { id: 'inbox.mentions', group: 'go', title: () => text().command.mentions, icon: atSignIcon, words: 'named at inbox', run: (shell) => shell.go('/inbox/mentions') },
  ],
}
