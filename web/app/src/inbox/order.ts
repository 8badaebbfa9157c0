import type { Followed } from './inbox.ts'

/** Order is how threads stand: keys, unread ones first. */
export interface Order {
  readonly unread: readonly string[]
  readonly read: readonly string[]
}

/** createOrder keeps those that were unread since the screen was opened where they are: what one reads does not slip away from under one's eyes. */
export function createOrder(): (threads: readonly Followed[]) => Order {
  const were = new Set<string>()
  return (threads) => {
    for (const thread of threads) if (thread.unread > 0) were.add(thread.key)
    const keys = (of: boolean) => threads.filter((thread) => were.has(thread.key) === of).map((thread) => thread.key)
    return { unread: keys(true), read: keys(false) }
  }
}
