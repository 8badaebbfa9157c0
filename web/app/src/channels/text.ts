import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  fresh: {
    title: 'New channel',
    name: 'Name',
    nameHint: 'What it is about, in a word or two',
    nameWrong: 'Give it a name.',
    topic: 'Topic',
    topicHint: 'Shown next to the name. You can change it later.',
    private: 'Private',
    privateHint: 'Only people who are added can find and read it. This can’t be changed later.',
    create: 'Create channel',
  },
  direct: {
    title: 'New message',
    to: 'To',
    placeholder: 'A name or a handle',
    open: 'Write',
    nobody: 'No one found',
    nobodyWhy: 'Try a shorter search. Deactivated people aren’t listed.',
    most: 'Up to ten people.',
    remove: (name: string) => `Remove ${name}`,
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
    inUse: 'Active',
    archived: 'Archived',
    noArchived: 'No archived channels found',
    noArchivedWhy: 'Archived channels can be read, but no one writes in them.',
    preview: 'Preview',
    none: 'No channels found',
    noneWhy: 'Private channels aren’t listed. You can create a channel with this name.',
    failed: 'The channels could not be loaded',
    people: 'Members',
    said: 'Latest messages',
    nothingSaid: 'No messages yet. Be the first.',
    unreadable: 'You can read it once you have joined.',
    previewFailed: 'The channel could not be loaded',
    outside: (name: string) => `You are not in #${name}. Join it to write, and to see new messages.`,
    archivedOutside: 'This channel is archived, and you are not in it.',
    joinFailed: (name: string) => `#${name} could not be joined`,
  },
}

export const text = texts(en)
