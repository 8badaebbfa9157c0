/**
 * A co-edited document at a client, as client/doc keeps it: one edit under way, what was typed meanwhile behind it, and nothing typed ever lost. What
 * others do comes by the document's topic; each side transforms the other's edits (../ot), so that all end with the same bytes.
 *
 * Where an edit goes: `edit` applies it to what is shown, composes it into the buffer, and gives it to the store. Where nothing is under way, the buffer
 * becomes what is under way: it gets a number, is written down with it, and is sent until there is an answer, over any connection and by any later
 * run, byte for byte the same. It is settled by its event, which names it, or by its answer, whichever comes first.
 *
 * An edit that the server refuses for good is taken out of what is shown, and kept until the program forgets it. Where the log can't be followed any
 * more, the document is read anew, and what is pending is transformed over the difference.
 */
export { Document, type Config, type Status } from './document.ts'
export type { OtherCursor } from './presence.ts'
export { read } from './read.ts'
export { DamagedError } from './record.ts'
export { inserted, type Refused } from './refused.ts'
export type { Listener, ShownChange } from './replica.ts'
export { TakenOverError, type Journal, type Store } from './store.ts'
export { ServerError } from '../errors.ts'
export type { Cursor, DocumentEvent, Part, Presence, Submission, Submitted, Subscription, Transport, Update } from './transport.ts'
