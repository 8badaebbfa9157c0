import { route, type Manifest } from '../module.ts'

const channel = () => import('./Channel.tsx')
const thread = () => import('./Thread.tsx')

/** Channels, direct messages and threads. */
export const manifest: Manifest = {
  name: 'chat',
  routes: [route('/c/:channel', channel), route('/c/:channel/:message', channel), route('/t/:channel/:root', channel, thread)],
}
