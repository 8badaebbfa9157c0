import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'People',
  search: 'Find somebody',
  count: (n: number) => plural(n, { one: '1 person', other: `${number(n)} people` }),
  write: 'Write',
  writeTo: (name: string) => `Write to ${name}`,
  failed: (name: string) => `The conversation with ${name} could not be opened`,
  nobody: 'Nobody is called like that',
  nobodyWhy: 'Try fewer letters, or a handle.',
  alone: 'You are alone here',
  aloneWhy: 'Invite the people that you work with: they appear here as soon as they have joined.',
  invite: 'Invite people',
  deactivated: 'deactivated',
}

export const text = texts(en)
