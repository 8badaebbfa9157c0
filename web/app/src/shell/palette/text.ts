import { number, plural } from '../../i18n/format.ts'
import { texts } from '../../i18n/locale.ts'

export const en = {
  title: 'Search and commands',
  placeholder: 'A person, a channel, a message, or what you want to do',
  commands: 'Commands',
  recent: 'Recent',
  choose: 'choose',
  run: 'open',
  leave: 'leave',
  nothing: (words: string) => `Nothing is called “${words}”`,
  nothingWhy: 'Try fewer letters, or browse all channels.',
  results: (n: number) => plural(n, { one: '1 result', other: `${number(n)} results` }),
  you: 'you',
}

export const text = texts(en)
