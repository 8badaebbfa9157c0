import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'Emoji',
  search: 'Search emoji',
  list: 'Emoji',
  groups: 'Groups',
  recent: 'Recently used',
  found: (n: number) => plural(n, { one: '1 found', other: `${number(n)} found` }),
  none: (words: string) => `No emoji for “${words}”`,
  noneWhy: 'Try another word, in English: “happy”, “boat”, “thanks”.',
  failed: 'The emoji could not be loaded',
  failedWhy: 'You may be offline. Try again in a moment.',
  hint: 'Pick one with the arrow keys and Enter',
  group: {
    smileys: 'Smileys',
    people: 'People',
    nature: 'Animals and nature',
    food: 'Food and drink',
    travel: 'Travel and places',
    activities: 'Activities',
    objects: 'Objects',
    symbols: 'Symbols',
    flags: 'Flags',
  },
  skin: 'Skin tone',
  tone: { 0: 'No skin tone', 1: 'Light', 2: 'Medium light', 3: 'Medium', 4: 'Medium dark', 5: 'Dark' },
}

export const text = texts(en)
