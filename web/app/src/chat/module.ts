<<<<<<< HEAD
import { route, type Manifest } from '../module.ts'

const channel = () => import('./Channel.tsx')
const thread = () => import('./Thread.tsx')

/** Channels, direct messages and threads. */
export const manifest: Manifest = {
  name: 'chat',
  routes: [route('/c/:channel', channel), route('/c/:channel/:message', channel), route('/t/:channel/:root', channel, thread)],
}
||||||| 44eee98
=======
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
>>>>>>> next-ui
