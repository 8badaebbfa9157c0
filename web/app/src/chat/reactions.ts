/** Who reacted, in words. */
import type { Message, Reaction } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'

export function reacted(message: Message, emoji: string): boolean {
  return message.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine)
}

/** signOf is what is shown of a reaction: '' where there is nothing to see in it. */
export function signOf(emoji: string): string {
  return emoji.replace(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, '').replace(/^[\p{Default_Ignorable_Code_Point}\u2800\s]*$/u, '')
}

export interface Words {
  readonly you: string
  /** "3 others". */
  readonly others: (n: number) => string
  readonly name: (id: string) => string
}

/** named is how many people are named before the rest is counted. */
export const named = 10

/** whoReacted are the names: others first, then oneself, then how many more there are. The server names the first 20. */
export function whoReacted({ users, count, mine }: Reaction, me: string | undefined, { you, others, name }: Words): readonly string[] {
  const all = users.filter((id) => id !== me)
  const shown = all.slice(0, named)
  const rest = count - shown.length - (mine ? 1 : 0)
  return [...shown.map(name), ...(mine ? [you] : []), ...(rest > 0 ? [others(rest)] : [])]
}
