/** The worker that keeps an account's session for all pages of the browser. It is named by the account. */
import { serveWorker, type Scope } from '@plenum/sdk/share'
import { openSession } from './session.ts'
import { unites } from './shared.ts'

const scope = globalThis as unknown as Scope & { readonly name: string }
serveWorker(scope, () => openSession(scope.name), unites)
