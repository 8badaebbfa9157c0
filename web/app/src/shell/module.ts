/** What the shell itself adds: screens of its own, and the commands that are always there. */
import { text } from '../i18n/en.ts'
import { account, may, nextUnread } from '../model/context.ts'
import { route, type Manifest, type Shell } from '../module.ts'
import { arrowDownIcon, arrowUpIcon, bellIcon, checkCheckIcon, compassIcon, contrastIcon, keyboardIcon, laptopIcon, logOutIcon, monitorIcon, moonIcon, plusIcon, searchIcon, settingsIcon, shieldIcon, squarePenIcon, sunIcon, userRoundIcon, usersIcon } from '../ui/icons.ts'
import { toast } from '../ui/toasts.ts'
import { nextPart } from './keyboard.ts'
import { prefer, preferences, type Preferences } from './preferences.ts'

function toUnread(shell: Shell, step: 1 | -1): void {
  const next = nextUnread(shell.model.channels(), shell.channel(), step)
  if (next) shell.go(`/c/${next.id}`)
  else toast(text().command.noUnread)
}

/** readAll reads all channels, and offers to take it back. Threads stay as they are: the inbox reads them, for what is read of them can't be taken back. */
function readAll({ model }: Shell): void {
  const undo = model.markAllRead()
  if (undo) toast(text().command.allRead, { action: { label: text().undo, run: undo } })
  else toast(text().command.noUnread)
}

function toNeighbour(shell: Shell, step: 1 | -1): void {
  const channels = shell.model.channels()
  const at = channels.findIndex((channel) => channel.id === shell.channel())
  const next = channels[(at + step + channels.length) % channels.length]
  if (next) shell.go(`/c/${next.id}`)
}

const theme = (to: Preferences['theme'], icon: string) => ({
  id: `shell.theme.${to}`,
  group: 'view' as const,
  title: () => text().account.theme[to],
  icon,
  words: 'appearance dark light mode',
  when: () => preferences().theme !== to,
  run: () => prefer({ theme: to }),
})

const settings = (page: string, icon: string) => ({
  id: `shell.settings.${page}`,
  group: 'go' as const,
  title: () => (page === 'profile' ? text().account.profile : text().account.settings),
  icon,
  words: 'preferences account password devices notifications appearance',
  run: (shell: Shell) => shell.go(`/settings/${page}`),
})

export const newChannel = () => import('../channels/NewChannel.tsx')
export const newDirect = () => import('../channels/NewDirect.tsx')

export const manifest: Manifest = {
  name: 'shell',
  routes: [
    route('/people', () => import('../people/People.tsx')),
    { ...route('/browse', () => import('../channels/Browse.tsx')), title: () => text().sidebar.browse },
    { ...route('/settings/:page', () => import('../settings/Settings.tsx')), title: () => text().account.settings },
    { ...route('/admin/:page', () => import('../admin/Admin.tsx')), title: () => text().account.administration },
  ],
  places: [{ path: '/people', icon: usersIcon, title: () => text().sidebar.people }],
  commands: [
    { id: 'shell.palette', group: 'go', title: () => text().command.palette, icon: searchIcon, keys: ['Mod+K'], run: (shell) => shell.openPalette() },
    { id: 'shell.nextUnread', group: 'go', title: () => text().command.nextUnread, icon: arrowDownIcon, keys: ['Alt+Shift+ArrowDown'], run: (shell) => toUnread(shell, 1) },
    { id: 'shell.previousUnread', group: 'go', title: () => text().command.previousUnread, icon: arrowUpIcon, keys: ['Alt+Shift+ArrowUp'], run: (shell) => toUnread(shell, -1) },
    { id: 'shell.nextChannel', group: 'go', title: () => text().command.nextChannel, icon: arrowDownIcon, keys: ['Alt+ArrowDown'], run: (shell) => toNeighbour(shell, 1) },
    { id: 'shell.previousChannel', group: 'go', title: () => text().command.previousChannel, icon: arrowUpIcon, keys: ['Alt+ArrowUp'], run: (shell) => toNeighbour(shell, -1) },
    { id: 'shell.nextPart', group: 'go', title: () => text().command.nextPart, keys: ['F6'], run: nextPart },
    { id: 'shell.people', group: 'go', title: () => text().sidebar.people, icon: usersIcon, words: 'directory members', run: (shell) => shell.go('/people') },
    { id: 'shell.browse', group: 'go', title: () => text().sidebar.browse, icon: compassIcon, keys: ['Mod+Shift+L'], words: 'join find', run: (shell) => shell.go('/browse') },
    { id: 'shell.administration', group: 'go', title: () => text().account.administration, icon: shieldIcon, words: 'invite roles audit', when: (shell) => may(shell.model, 'identity.manage'), run: (shell) => shell.go('/admin/people') },
    settings('profile', userRoundIcon),
    settings('appearance', settingsIcon),
    { id: 'shell.newDirect', group: 'do', title: () => text().sidebar.newDirect, icon: squarePenIcon, words: 'message person group write', run: (shell) => shell.openDialog(newDirect) },
    { id: 'shell.newChannel', group: 'do', title: () => text().sidebar.newChannel, icon: plusIcon, words: 'create make', when: (shell) => may(shell.model, 'chat.create_channel'), run: (shell) => shell.openDialog(newChannel) },
    { id: 'shell.markRead', group: 'do', title: () => text().command.markRead, icon: bellIcon, keys: ['Alt+R'], when: (shell) => shell.channel() !== undefined, run: (shell) => shell.model.markRead(shell.channel() ?? '') },
    { id: 'shell.markAllRead', group: 'do', title: () => text().command.markAllRead, icon: checkCheckIcon, keys: ['Shift+Escape'], words: 'unread clear', run: readAll },
    { id: 'shell.status', group: 'do', title: () => text().account.status, icon: laptopIcon, words: 'presence away busy do not disturb', run: (shell) => shell.openDialog(() => import('../settings/Status.tsx')) },
    { id: 'shell.closePane', group: 'view', title: () => text().command.closePane, keys: ['Escape'], when: (shell) => shell.panelOpen(), run: (shell) => shell.closePanel() },
    theme('light', sunIcon),
    theme('dark', moonIcon),
    theme('system', monitorIcon),
    { id: 'shell.contrast', group: 'view', title: () => text().command.contrast, icon: contrastIcon, words: 'accessibility', run: () => prefer({ contrast: preferences().contrast === 'more' ? 'system' : 'more' }) },
    { id: 'shell.keys', group: 'help', title: () => text().shell.help, icon: keyboardIcon, keys: ['?', 'Mod+/'], run: (shell) => shell.openDialog(() => import('./KeyMap.tsx')) },
    { id: 'shell.signOut', group: 'do', title: () => text().account.signOut, icon: logOutIcon, words: 'leave log out', when: (shell) => account(shell.model) !== undefined, run: (shell) => shell.openDialog(() => import('./SignOut.tsx')) },
  ],
}
