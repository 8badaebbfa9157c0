/**
 * What a chat client knows, free of any framework. Values never change: what happens makes new ones, in which all that stayed the same is the same object, so
 * that what is shown changes where something happened.
 */
export { Book } from './book.ts'
export * from './channels.ts'
export { chatDependencies } from './dependencies.ts'
export * from './drafts.ts'
export { foldText, wordsOf } from './fold.ts'
export * from './inbox.ts'
export * from './marking.ts'
export {
  EVERYTHING, TAIL, apply, bisect, caughtUp, countable, emptied, find, inChannel, merge, opened, pageOf, reread, told, trimmed, type Page, type Tail, type Told, type Window,
} from './messages.ts'
export { answered, came, changeOf, listed, nothingOutgoing, type Change, type Landed, type Outgoing } from './outgoing.ts'
export { shown, type Item, type Waiting } from './overlay.ts'
export * from './people.ts'
export { Recorder, type Part, type RecorderOptions } from './recorder.ts'
export { PAGE, Room, View, type RoomOptions, type RoomState } from './room.ts'
export * from './sorting.ts'
