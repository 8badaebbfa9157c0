import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'People',
  search: 'Find people',
  count: (n: number) => plural(n, { one: '1 person', other: `${number(n)} people` }),
  write: 'Write',
  writeTo: (name: string) => `Write to ${name}`,
  failed: (name: string) => `The conversation with ${name} could not be opened`,
  nobody: 'No one found',
  nobodyWhy: 'Try a shorter search, or a handle.',
  alone: 'It’s just you so far',
  aloneWhy: 'Invite the people you work with. They appear here once they have joined.',
  invite: 'Invite people',
  deactivated: 'deactivated',
}

export const text = texts(en)
