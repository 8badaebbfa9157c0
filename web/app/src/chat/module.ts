/** Chat: channels, conversations and threads. */
import { panel, route, type Manifest } from '../module.ts'

const channel = () => import('./Channel.tsx')
const thread = () => import('./Thread.tsx')

export const manifest: Manifest = {
  name: 'chat',
  routes: [
    { ...route('/c/:channel', channel), channel: 'channel' },
    { ...route('/c/:channel/:message', channel), channel: 'channel' },
    { ...route('/t/:channel/:root', channel, thread), channel: 'channel' },
    { ...route('/t/:channel/:root/:reply', channel, thread), channel: 'channel' },
  ],
  panels: [panel('thread', thread)],
}
