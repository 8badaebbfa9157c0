import type { Method, Pending, Session } from '@plenum/sdk'

/**
 * change puts a change into the outbox: it is shown at once where the SDK knows how, survives the page, and takes place once. It resolves when the server has taken it, however late
 * that is; it rejects with the refusal, and then nothing of it is kept.
 */
export async function change<Q extends object, A>(session: Session, method: Method<Q, A>, request: Partial<Q>, lane: string): Promise<A | undefined> {
  const seq = await session.outbox.put(method, request, { lane })
  try {
    return await session.outbox.answer(seq, method)
  } catch (error) {
    if (session.outbox.entries.some((entry) => entry.seq === seq && entry.state === 'refused')) await session.outbox.drop(seq)
    throw error
  }
}

/** What a screen of messages shows where it was refused, with Retry and Delete. */
const shown = /\/(?:Send|EditMessage|DeleteMessage|AddReaction|RemoveReaction|PinMessage)$/

/** forgotten are refused changes that a page put which is gone: nobody waits for their answers any more. `begun`: when this page was loaded. */
export function forgotten(entries: readonly Pending[], begun: number): readonly Pending[] {
  return entries.filter((entry) => entry.state === 'refused' && entry.since < begun && !shown.test(entry.method))
}
