/**
 * What waits to be sent: it survives the page, and takes place once and in its order. `state` decides, and is pure; `indexeddb` and `memory` keep it;
 * `send` is both with a wire.
 */
export { IndexedStore } from './indexeddb.ts'
export { MemoryStore } from './memory.ts'
export { newId } from '../id.ts'
export { mutation } from './mutation.ts'
export { StoredOutbox } from './send.ts'
export type { Box, Contents, Kept, Store, Write } from './store.ts'
