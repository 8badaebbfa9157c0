import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  fresh: {
    title: 'New channel',
    name: 'Name',
    nameHint: 'What it is about, in a word or two',
    nameWrong: 'Give it a name.',
    topic: 'Topic',
    topicHint: 'Shown beside the name; can be changed later',
    private: 'Private',
    privateHint: 'Only who is added finds and reads it. This cannot be changed later.',
    create: 'Create the channel',
  },
  direct: {
    title: 'New message',
    to: 'To',
    placeholder: 'A name or a handle',
    open: 'Write',
    nobody: 'Nobody is called like that',
    nobodyWhy: 'Try fewer letters. People who were deactivated are not listed.',
    most: 'Ten people at the most.',
    remove: (name: string) => `Take ${name} out`,
  },
  browse: {
    title: 'Browse channels',
    search: 'Find a channel',
    members: (n: number) => plural(n, { one: '1 person', other: `${number(n)} people` }),
    joined: 'Joined',
    join: 'Join',
    open: 'Open',
    more: 'Show more',
    which: 'Which channels',
    inUse: 'In use',
    archived: 'Archived',
    noArchived: 'No archived channel is called like that',
    noArchivedWhy: 'What is archived can be read, and nobody writes in it.',
    preview: (name: string) => `Look into #${name}`,
    none: 'No channel is called like that',
    noneWhy: 'Private channels are not listed. You can make a channel of this name.',
    failed: 'The channels could not be loaded',
    people: 'People in it',
    said: 'Said last',
    nothingSaid: 'Nothing yet. Be the first.',
    unreadable: 'You may read it once you have joined.',
    previewFailed: 'The channel could not be read',
    joinFailed: (name: string) => `You did not join #${name}`,
  },
}

export const text = texts(en)
