/** Chat: channels, conversations and threads. */
import { route, type Manifest } from '../module.ts'

const screen = () => import('./ChannelScreen.tsx')

export const manifest: Manifest = {
  name: 'chat',
  routes: [
    { ...route('/c/:channel', screen), channel: 'channel' },
    { ...route('/c/:channel/:message', screen), channel: 'channel' },
    { ...route('/t/:channel/:root', screen, () => import('./ThreadPanel.tsx')), channel: 'channel' },
  ],
}
