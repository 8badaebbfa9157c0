/** Chat: channels, conversations and threads. */
import { text } from '../i18n/en.ts'
import { panel, route, type Manifest, type Shell } from '../module.ts'
import { usersIcon } from '../ui/icons.ts'
import { jumpToDate, openDetails, type Part } from './places.ts'

const channel = () => import('./Channel.tsx')
const thread = () => import('./Thread.tsx')

const inChannel = (shell: Shell) => shell.model.channel(shell.channel() ?? '') !== undefined
const details = (part: Part) => ({ group: 'view' as const, when: inChannel, run: (shell: Shell) => openDetails(shell, shell.channel() ?? '', part) })

export const manifest: Manifest = {
  name: 'chat',
  routes: [
    { ...route('/c/:channel', channel), channel: 'channel' },
    { ...route('/c/:channel/:message', channel), channel: 'channel' },
    { ...route('/t/:channel/:root', channel, thread), channel: 'channel' },
    { ...route('/t/:channel/:root/:reply', channel, thread), channel: 'channel' },
  ],
  commands: [
    { id: 'chat.details', ...details('about'), title: () => text().command.details, keys: ['Alt+O'], words: 'about topic purpose rename settings notifications leave archive' },
    { id: 'chat.members', ...details('people'), title: () => text().command.members, icon: usersIcon, words: 'members add remove role' },
    { id: 'chat.pins', ...details('pins'), title: () => text().command.pins },
    { id: 'chat.mute', group: 'do', title: () => text().command.mute, keys: ['Alt+M'], words: 'notifications silence quiet', when: inChannel, run: (shell) => void import('./details/mute.ts').then(({ mute }) => mute(shell.model, shell.channel() ?? '')) },
    { id: 'chat.date', group: 'go', title: () => text().command.date, keys: ['Alt+J'], words: 'day calendar history', when: inChannel, run: (shell) => shell.openDialog(jumpToDate) },
  ],
  panels: [panel('thread', thread), panel('chat.details', () => import('./details/Details.tsx'))],
}
