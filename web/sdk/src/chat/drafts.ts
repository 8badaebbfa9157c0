import type { Draft, DraftChanged, SetDraftRequest, SetDraftResponse } from '../proto/plenum/chat/v1/chat.ts'
import { changeOf } from './outgoing.ts'
import type { Pending } from '../session.ts'

/**
 * Writing is what is being written in a channel or thread, on this device and the server. What was typed here stands in the composer until the person decides
 * otherwise: what another device wrote meanwhile is `theirs`, beside it, and never mixed in. Plain data, to be kept as it is.
 */
export interface Writing {
  readonly channel: string
  /** Of a thread; 0: the channel's own. */
  readonly root: number
  /** What the composer shows. */
  readonly text: string
  /** When it was typed, or read; Unix milliseconds. */
  readonly timeMs: number
  /** What the server has, as far as we know, and which version that is; 0: nothing. */
  readonly saved: string
  readonly version: number
  /** What was sent to the server and isn't answered. */
  readonly sending: { readonly text: string; readonly version: number } | undefined
  /** Another device's text, which isn't ours: decide with `resolved`. */
  readonly theirs: { readonly text: string; readonly version: number } | undefined
  /** A version of another device whose text has to be read by ListDrafts; 0: none. */
  readonly wanted: number
  /** A text that the server won't have, such as the draft that is one too many: it stays here. */
  readonly refused: string | undefined
  /** Messages that were sent from here, and may not be in the outbox yet; undefined: none. */
  readonly leaving: readonly Leaving[] | undefined
}

/** Leaving is a message on its way from the composer into the outbox. By its key it is put again after a restart, and is there once. */
export interface Leaving {
  readonly key: string
  readonly text: string
  readonly alsoInChannel: boolean
}

export function unwritten(channel: string, root: number): Writing {
  return { channel, root, text: '', timeMs: 0, saved: '', version: 0, sending: undefined, theirs: undefined, wanted: 0, refused: undefined, leaving: undefined }
}

export const draftKey = (channel: string, root: number) => `${channel}/${root}`

/** typed is with another text in the composer. */
export function typed(w: Writing, text: string, now: number): Writing {
  return text === w.text ? w : { ...w, text, timeMs: now }
}

/** due is what to send to the server now, with the state in which it is under way; undefined: nothing, or something is, or the person has to decide first. */
export function due(w: Writing): { readonly request: SetDraftRequest; readonly sending: Writing } | undefined {
  if (w.text === w.saved || w.text === w.refused || w.sending !== undefined || w.theirs !== undefined || w.wanted > 0) return undefined
  const sending = { text: w.text, version: w.version + 1 }
  return { request: { channel: w.channel, root: w.root, ...sending }, sending: { ...w, sending } }
}

/** resent is what to repeat after a doubt, as after a restart: the version makes that harmless. */
export function resent(w: Writing): SetDraftRequest | undefined {
  return w.sending && { channel: w.channel, root: w.root, ...w.sending }
}

/** answeredDraft takes over what SetDraft said. */
export function answeredDraft(w: Writing, { draft, applied }: SetDraftResponse): Writing {
  const { sending } = w
  if (sending === undefined || draft === undefined) return { ...w, sending: undefined }
  const free = { ...w, sending: undefined }
  if (applied) return { ...free, saved: sending.text, version: Math.max(w.version, sending.version), wanted: w.wanted > sending.version ? w.wanted : 0 }
  return readDraft(free, draft)
}

/** refusedDraft is after an answer that says no, such as that there are too many drafts: the text stays here, until it is typed on. */
export function refusedDraft(w: Writing): Writing {
  return { ...w, refused: w.sending?.text, sending: undefined }
}

/** outrun is after chat.DRAFT_AHEAD, where the server has lost versions: the next answer says which one it has. */
export function outrun(w: Writing): Writing {
  return { ...w, saved: '', version: 0, sending: undefined }
}

/** toldDraft takes over a DraftChanged of "chat.user/me". */
export function toldDraft(w: Writing, { version, cleared }: DraftChanged): Writing {
  if (version <= w.version || version <= w.wanted) return w
  if (version === w.sending?.version) return w // ours, or the answer says whose
  if (cleared) return readDraft(w, { channel: w.channel, root: w.root, text: '', version, timeMs: 0 })
  return { ...w, wanted: version }
}

/** readDraft takes over what the server has, from ListDrafts or an answer. */
export function readDraft(w: Writing, { text, version, timeMs }: Draft): Writing {
  if (version <= w.version || (w.theirs !== undefined && version <= w.theirs.version)) return { ...w, wanted: w.wanted > version ? w.wanted : 0 }
  const clean = w.text === w.saved && w.sending === undefined
  const next = { ...w, saved: text, version, theirs: undefined, wanted: w.wanted > version ? w.wanted : 0, sending: undefined }
  if (clean) return { ...next, text, timeMs }
  if (text === w.text || text === '') return next // the same; or there is nothing of theirs to keep
  return { ...w, sending: undefined, wanted: next.wanted, theirs: { text, version } }
}

/** Choice is what becomes of two texts. */
export type Choice = 'mine' | 'theirs' | 'both'

/** resolved is after the person has decided; `both` puts theirs behind mine. */
export function resolved(w: Writing, choice: Choice, now: number): Writing {
  if (w.theirs === undefined) return w
  const { text: saved, version } = w.theirs
  const text = choice === 'mine' ? w.text : choice === 'theirs' ? saved : w.text === '' ? saved : `${w.text}\n\n${saved}`
  return { ...w, text, timeMs: now, saved, version, theirs: undefined }
}

/** leaves is with an empty composer, whose message is on its way into the outbox. */
export function leaves(w: Writing, leaving: Leaving, now: number): Writing {
  return { ...typed(w, '', now), leaving: [...(w.leaving ?? []), leaving] }
}

/** left is without a message that the outbox has. */
export function left(w: Writing, key: string): Writing {
  const rest = (w.leaving ?? []).filter((l) => l.key !== key)
  if (rest.length === (w.leaving?.length ?? 0)) return w
  return { ...w, leaving: rest.length === 0 ? undefined : rest }
}

/** cameBack is with a message that the outbox could not keep: before what has been written since. */
export function cameBack(w: Writing, key: string, now: number): Writing {
  const text = w.leaving?.find((l) => l.key === key)?.text
  if (text === undefined) return w
  return typed(left(w, key), w.text === '' ? text : `${text}\n\n${w.text}`, now)
}

/**
 * spent is a draft that was read from disk after a restart, without what was sent: the page may have died between putting a message into the outbox and
 * noting that of its draft, which are written at the same time. `sent` are the reader's own messages of the place that are known.
 */
export function spent(w: Writing, entries: readonly Pending[], sent: readonly { readonly text: string; readonly timeMs: number; readonly root: number }[]): Writing {
  if (w.text.trim() === '') return w
  const same = (text: string, root: number, at: number) => text.trim() === w.text.trim() && root === w.root && at >= w.timeMs
  const waits = entries.some((p) => {
    const change = changeOf(p)
    return change?.kind === 'Send' && change.request.channel === w.channel && same(change.request.text, change.request.root, p.since)
  })
  return waits || sent.some((m) => same(m.text, m.root, m.timeMs)) ? { ...w, text: '' } : w
}
