import { number, plural } from '../../i18n/format.ts'
import { texts } from '../../i18n/locale.ts'

export const en = {
  title: 'Search and commands',
  placeholder: 'Search people, channels, messages and commands',
  commands: 'Commands',
  recent: 'Recent',
  choose: 'choose',
  run: 'open',
  leave: 'close',
  nothing: (words: string) => `No results for “${words}”`,
  nothingWhy: 'Try a shorter search, or browse all channels.',
  results: (n: number) => plural(n, { one: '1 result', other: `${number(n)} results` }),
  you: 'you',
}

export const text = texts(en)
