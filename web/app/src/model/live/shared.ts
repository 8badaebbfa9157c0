import { encode } from '@plenum/sdk'
import type { Unites } from '@plenum/sdk/share'
import { People } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'

/** mostPeople is how many people one view shows. */
export const mostPeople = 500

/** unites are for views that pages ask for with other parameters each: of all pages together, the people that came last. */
export const unites: Unites = {
  'presence.people/me': (params) => {
    const users = new Set(params.flatMap((each) => People.decode(each).users))
    return encode(People, { users: [...users].slice(-mostPeople).sort() })
  },
}
