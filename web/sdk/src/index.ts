/** Plenum's client: a session with the server that comes back by itself, what waits to be sent, and the topics that are followed. */
export { Code, ServerError } from './errors.ts'
export { attend } from './edge/attend.ts'
export { Connection, type Options } from './edge/connection.ts'
export type { Dependencies, Dependency } from './edge/causal.ts'
export type { TokenSource } from './edge/token.ts'
export type { Wire } from './edge/wire.ts'
export { encode, message, type Codec, type Method } from './method.ts'
export type { CallOptions, FollowOptions, Following, Outbox, Pending, PutOptions, Session, State, Transport, Update } from './session.ts'
