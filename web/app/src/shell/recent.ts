/** Where one was in this tab, the last place first: the palette begins with it. */
import { createSignal } from 'solid-js'
import { ofTab, onForget } from './stored.ts'

const key = 'plenum.recent'
const most = 12

const [ids, setIds] = createSignal<readonly string[]>(stored())
onForget(() => setIds([]))

/** recent are channels by their ids, which may be gone. */
export const recent = ids

/** visited says that a channel is shown. */
export function visited(channel: string): void {
  const now = [channel, ...ids().filter((id) => id !== channel)].slice(0, most)
  setIds(now)
  ofTab.set(key, JSON.stringify(now))
}

function stored(): readonly string[] {
  try {
    const found: unknown = JSON.parse(ofTab.get(key) ?? '[]')
    return Array.isArray(found) ? found.filter((id) => typeof id === 'string') : []
  } catch {
    return [] // what stands there isn't ours
  }
}
