/**
 * One session for all pages of a browser: a host serves it over ports (`host`), each page has it by a `Remote`, and `join` decides who is the host. What
 * several pages follow is followed once (`topic`).
 */
export { Host } from './host.ts'
export { join, type JoinOptions, type Shared } from './join.ts'
export type { Port } from './port.ts'
export { Remote } from './remote.ts'
export type { Unite, Unites } from './united.ts'
export { serveWorker, type Scope } from './worker.ts'
