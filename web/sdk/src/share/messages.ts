import { errorOf, faultOf, type Fault } from '../fault.ts'
import type { Method } from '../method.ts'
import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Pending, State, Update } from '../session.ts'

/** Plain is a value of session.ts with its ServerError as data. */
type Plain<T> = T extends { readonly cause: infer C } ? Omit<T, 'cause'> & { readonly cause: Fault | Exclude<C, Error> } : T

/** Ask is what waits for an answer, by an id of the tab's own. */
export type Ask =
  /** `seq`: it is a change that another host has had under way by this number. */
  | { readonly kind: 'call'; readonly method: string; readonly how: Method<unknown, unknown>['kind']; readonly body: Uint8Array; readonly onlyOnline: boolean; readonly seq?: number }
  | { readonly kind: 'put'; readonly method: string; readonly body: Uint8Array; readonly lane: string; readonly note: unknown; readonly key: string }
  | { readonly kind: 'answer' | 'retry' | 'drop'; readonly seq: number }
  | { readonly kind: 'number' }

/** ToHost is what a tab says. */
export type ToHost =
  /** The first word: `lock` is held by the tab as long as it lives; '': it has none, and has to be heard. */
  | { readonly kind: 'hello'; readonly lock: string }
  | { readonly kind: 'ask'; readonly id: number; readonly ask: Ask }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'follow'; readonly id: number; readonly topic: string; readonly options: FollowOptions }
  | { readonly kind: 'resume'; readonly id: number; readonly from: Cursor }
  | { readonly kind: 'signal'; readonly id: number; readonly key: string; readonly body: Uint8Array }
  | { readonly kind: 'unfollow'; readonly id: number }
  | { readonly kind: 'settle'; readonly mutation: string }
  | { readonly kind: 'active' | 'probe' | 'alive' | 'bye' }

/** ToTab is what a host says. */
export type ToTab =
  /** The first word: somebody is here. Another host's is another name; it holds a Web Lock as long as it lives, '': none. */
  | { readonly kind: 'open'; readonly host: string; readonly lock: string }
  /** Or nobody is, and why. */
  | { readonly kind: 'unopened'; readonly fault: Fault }
  /** The answer to hello, and all that stands. */
  | { readonly kind: 'welcome'; readonly clientId: string; readonly state: Plain<State>; readonly entries: readonly Plain<Pending>[] }
  | { readonly kind: 'state'; readonly state: Plain<State> }
  /** What has changed in the outbox. */
  | { readonly kind: 'outbox'; readonly put: readonly Plain<Pending>[]; readonly remove: readonly number[] }
  /** A change that was asked for goes out now, by this number. */
  | { readonly kind: 'numbered'; readonly id: number; readonly seq: number }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'update'; readonly id: number; readonly update: Plain<Update> }
  /** Answer `alive`. */
  | { readonly kind: 'alive' }
  /** You were taken for dead: say hello again, and all that you want. */
  | { readonly kind: 'gone' }

/** plain turns what has a cause into data. */
export function plain<T extends State | Update | Pending>(value: T): Plain<T> {
  return ('cause' in value && value.cause !== undefined ? { ...value, cause: faultOf(value.cause) } : value) as Plain<T>
}

/** whole is what it was. */
export function whole<T extends State | Update | Pending>(value: Plain<T>): T {
  const { cause } = value as { cause?: Fault }
  return (cause === undefined ? value : { ...value, cause: errorOf(cause) }) as T
}
