import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { list } from '../i18n/format.ts'
import { text } from './text.ts'

/** happened says what a system message tells, behind its author's name. `between`: of a conversation, not of a channel. */
export function happened({ author, system }: Message, name: (id: string) => string, between = false): string {
  const t = text().event
  const change = system?.change
  switch (change?.$case) {
    case 'members': {
      const { joined, left, roles } = change.value
      if (joined.length > 0) return joined.length === 1 && joined[0]?.user === author ? t.came : t.joined(list(joined.map((m) => name(m.user))))
      if (left.length > 0) return left.length === 1 && left[0] === author ? t.went : t.left(list(left.map(name)))
      return t.roles(list(roles.map((m) => name(m.user))))
    }
    case 'channel': {
      const { created, fields, channel } = change.value
      if (created) return between ? t.began : t.created
      if (fields.includes('name')) return t.name(channel?.name ?? '')
      if (fields.includes('topic')) return t.topic(channel?.topic ?? '')
      if (fields.includes('archived')) return channel?.archived ? t.archived : t.unarchived
      return t.changed
    }
    case 'pin':
      return change.value.removed ? t.unpinned : t.pinned
    default: // of something newer
      return t.changed
  }
}
