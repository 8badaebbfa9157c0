import { isDirect, type Channels, type Entry } from './channels.ts'
import type { Directory } from './people.ts'

/** titleOf is what a channel is called: by its name, or by the names of the others in it; of a channel for notes, by the reader's own. '': not known yet. */
export function titleOf(e: Entry, me: string, d: Directory): string {
  if (!isDirect(e)) return e.channel?.name ?? ''
  const people = e.channel?.people ?? []
  const others = people.filter((id) => id !== me)
  return (others.length > 0 ? others : people).map((id) => d.people.get(id)?.displayName ?? '…').join(', ')
}

/** Sections is the list as it is shown. */
export interface Sections {
  /** By name. */
  readonly channels: readonly Entry[]
  /** Those that moved last come first, as far as we have seen them move; then by name. */
  readonly direct: readonly Entry[]
}

/** sections sorts the list; archived channels are left out. `collator` is the language's, with `numeric`, so that "team-9" stands before "team-10". */
export function sections(c: Channels, me: string, d: Directory, collator: Intl.Collator): Sections {
  const all = [...c.values()].filter((e) => e.channel?.archived !== true).map((e) => ({ e, title: titleOf(e, me, d) }))
  const byTitle = (a: { e: Entry; title: string }, b: { e: Entry; title: string }) => collator.compare(a.title, b.title) || (a.e.id < b.e.id ? -1 : 1)
  const byMove = (a: { e: Entry; title: string }, b: { e: Entry; title: string }) => b.e.movedMs - a.e.movedMs || byTitle(a, b)
  return {
    channels: all.filter((x) => !isDirect(x.e)).sort(byTitle).map((x) => x.e),
    direct: all.filter((x) => isDirect(x.e)).sort(byMove).map((x) => x.e),
  }
}
