import { Code, ServerError } from '../errors.ts'
import type { Clock } from './clock.ts'

/** TokenSource gives access tokens. */
export interface TokenSource {
  /**
   * token is one that is valid now. One that equals `stale` is of no use any more: it expires, or was refused. It may be asked again before it has answered. It
   * rejects with a ServerError where the server refused: 200–299, ask again within 60 s, with jitter. One that is no use repeating ends the connection: 4400–4499 as
   * `wiped`, erase what is kept of the account; all others, as 102, as `signed-out`.
   */
  token(stale?: string): Promise<string>
}

/** ask asks the source; one that throws something else, or takes longer than `by` ms, has not answered. */
export function ask(source: TokenSource, stale: string, clock: Clock, by: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(by, () => {
      reject(new ServerError(Code.UNAVAILABLE, 'client.NO_TOKEN', 'No token came in time. Is the server reachable?'))
    })
    // What a source throws at once is a rejection, too.
    new Promise<string>((came) => { came(stale === '' ? source.token() : source.token(stale)) }).then(
      (token) => {
        cancel()
        resolve(token)
      },
      (e: unknown) => {
        cancel()
        reject(e instanceof ServerError ? e : new ServerError(Code.UNAVAILABLE, 'client.NO_TOKEN', `No token could be got: ${String(e)}`))
      },
    )
  })
}
