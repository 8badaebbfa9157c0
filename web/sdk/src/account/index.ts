/** Who is signed in in this browser: by every way that identity has, with tokens that are refreshed once for all tabs, and erased without a rest. */
export { Accounts, type AccountsOptions } from './accounts.ts'
export { callHttp, type Fetch, type HttpOptions } from './http.ts'
export { browserLocks, OwnLocks, type Locks } from './locks.ts'
export { takeSecret, type Secret } from './secret.ts'
export type { Account, Tokens } from './store.ts'
export type { TokenSource } from '../edge/token.ts'
export { databaseOf } from './wipe.ts'
