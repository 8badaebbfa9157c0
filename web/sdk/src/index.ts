/** Plenum's client: a session with the server that comes back by itself, what waits to be sent, and the topics that are followed. */
export { Code, ServerError } from './errors.ts'
export { encode, message, type Codec, type Method } from './method.ts'
export type { CallOptions, FollowOptions, Following, Outbox, Pending, PutOptions, Session, State, Transport, Update } from './session.ts'
