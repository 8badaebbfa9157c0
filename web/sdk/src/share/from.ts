import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions } from '../session.ts'

/** startingAt is how to follow the same from another cursor; undefined: from now on, or from a snapshot. */
export function startingAt({ heads, params, types }: FollowOptions, from: Cursor | undefined): FollowOptions {
  return {
    ...(from !== undefined && { from }),
    ...(heads !== undefined && { heads }),
    ...(params !== undefined && { params }),
    ...(types !== undefined && { types }),
  }
}
