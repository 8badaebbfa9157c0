import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'Search messages',
  placeholder: 'Words, as they were written',
  scope: 'Searches what this device holds: up to 30 days of the channels that were opened here. It works offline, and asks no server.',
  looking: 'Searching…',
  found: (n: number, more: boolean) => `${plural(n, { one: '1 message', other: `${number(n)} messages` })}${more ? ', and older ones' : ''}`,
  results: 'Messages',
  more: 'Show older ones',
  nothing: 'Nothing was found on this device',
  nothingWhy: 'Words are found by their beginnings: try fewer letters, or fewer words. What was said before you opened a channel here may be found by scrolling up in it.',
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
    person: (said: string) => `Nobody has the handle ${said}`,
    channel: (said: string) => `You are in no channel ${said}`,
    day: (said: string) => `“${said}” is no day`,
  },
  problemWhy: 'Write people as from:@ada, channels as in:#design, and days as before:2026-05-04.',
}

export const text = texts(en)
