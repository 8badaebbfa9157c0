import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'Search messages',
  placeholder: 'Search for words',
  scope: 'Searches the messages on this device: up to 30 days of the channels you’ve opened here. Works offline.',
  looking: 'Searching…',
  found: (n: number, more: boolean) => `${plural(n, { one: '1 message', other: `${number(n)} messages` })}${more ? ', and older ones' : ''}`,
  results: 'Messages',
  more: 'Show older',
  nothing: 'Nothing found on this device',
  nothingWhy: 'Words match from their beginning: try fewer letters, or fewer words. To find older messages, open their channel and scroll up.',
  inChannel: (name: string) => `in #${name}`,
  inThread: (where: string) => `${where}, in a thread`,
  filter: {
    'from:': 'Who wrote it: from:@ada, or from:me',
    'in:': 'Where: in:#design, or in:@ada for the conversation with her',
    'before:': 'Before a day: before:2026-05-04, or before:today',
    'after:': 'After a day: after:yesterday',
    'on:': 'On a day: on:2026-05-04',
  },
  problem: {
    person: (said: string) => `No one has the handle ${said}`,
    channel: (said: string) => `You are not in a channel called ${said}`,
    day: (said: string) => `“${said}” is not a date`,
  },
  problemWhy: 'Write people as from:@ada, channels as in:#design, and days as before:2026-05-04.',
}

export const text = texts(en)
