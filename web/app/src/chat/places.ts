/** What is asked of a channel's conversation from beside it: by the pane, a dialog, a command. */
import { createSignal } from 'solid-js'
import type { Id } from '../model/model.ts'
import type { Shell } from '../module.ts'
import type { Place } from './room.ts'

const [asked, setAsked] = createSignal<{ readonly channel: Id; readonly place: Place } | undefined>(undefined, { equals: false })

/** askedPlace is the place that the conversation of a channel is to show; it tells again of the same one. */
export const askedPlace = asked

/** showPlace lets the conversation of a channel, which is on the screen, jump somewhere. */
export function showPlace(channel: Id, place: Place): void {
  setAsked({ channel, place })
}

const [entered, setEntered] = createSignal<string | undefined>(undefined, { equals: false })

/** enteredThread is `channel/root` of the thread that somebody has opened to write in it; it tells again of the same one. */
export const enteredThread = entered

/** openThread shows a thread beside its channel, and lets one write there at once. */
export function openThread(shell: Shell, channel: Id, root: number): void {
  shell.go(`/t/${channel}/${root}`)
  setEntered(`${channel}/${root}`)
}

/** enterThread is called by the thread that was entered. */
export function enterThread(): void {
  setEntered(undefined)
}

/** Parts of the pane of details. */
export type Part = 'about' | 'people' | 'pins'

const [part, setPart] = createSignal<Part>()

/** detailsPart is what the pane of details shows; undefined: it is closed. The pane sets it. */
export const detailsPart = part
export const setDetailsPart = setPart

/** openDetails opens the pane of a channel's details, or closes it where it shows that part already. */
export function openDetails(shell: Shell, channel: Id, wanted: Part = 'about'): void {
  if (part() === wanted) shell.closePanel()
  else shell.openPanel('chat.details', { channel, part: wanted })
}

export const jumpToDate = () => import('./details/DateJump.tsx')
