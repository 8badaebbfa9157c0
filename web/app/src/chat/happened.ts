import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { list } from '../i18n/format.ts'
import { text } from './text.ts'

/** happened says what a system message tells, behind its author's name. */
export function happened({ author, system }: Message, name: (id: string) => string): string {
  const say = text().event
  const change = system?.change
  switch (change?.$case) {
    case 'members': {
      const { joined, left, roles } = change.value
      if (joined.length > 0) return joined.length === 1 && joined[0]?.user === author ? say.came : say.joined(list(joined.map((m) => name(m.user))))
      if (left.length > 0) return left.length === 1 && left[0] === author ? say.went : say.left(list(left.map(name)))
      return say.roles(list(roles.map((m) => name(m.user))))
    }
    case 'channel': {
      const { created, fields, channel } = change.value
      if (created) return say.created
      if (fields.includes('name')) return say.name(channel?.name ?? '')
      if (fields.includes('topic')) return say.topic(channel?.topic ?? '')
      if (fields.includes('archived')) return channel?.archived ? say.archived : say.unarchived
      return say.changed
    }
    case 'pin':
      return change.value.removed ? say.unpinned : say.pinned
    default: // of something newer
      return say.changed
  }
}
