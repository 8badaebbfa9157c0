import { ofTab } from '../../shell/stored.ts'

/**
 * What somebody has marked unread isn't read by being looked at, until its channel is opened anew. A reload opens nothing anew: so it is kept as long as the
 * page's tab is, by the marker's version.
 */
const key = (channel: string) => `plenum.unread.${channel}`

export function keepUnread(channel: string, version: number): void {
  ofTab.set(key(channel), String(version))
}

export function forgetUnread(channel: string): void {
  ofTab.remove(key(channel))
}

/** isKeptUnread says that this marker is one that was set by marking unread, before the page was loaded anew. */
export function isKeptUnread(channel: string, version: number): boolean {
  return version > 0 && ofTab.get(key(channel)) === String(version)
}
