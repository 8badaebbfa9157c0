/** Chat: channels, conversations and threads. */
import { route, type Manifest } from '../module.ts'

const channel = () => import('./Channel.tsx')
const thread = () => import('./Thread.tsx')

export const manifest: Manifest = {
  name: 'chat',
  routes: [
    { ...route('/c/:channel', channel), channel: 'channel' },
    { ...route('/c/:channel/:message', channel), channel: 'channel' },
    { ...route('/t/:channel/:root', channel, thread), channel: 'channel' },
  ],
}
