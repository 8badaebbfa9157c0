<<<<<<< HEAD
/** The chat's texts. */
import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  list: 'Messages',
  toEnd: 'To the newest',
  newBelow: (n: number) => plural(n, { one: '1 new message', other: `${number(n)} new messages` }),
  unread: 'New',
  begin: (name: string) => `This is the beginning of ${name}.`,
  edited: '(edited)',
  deleted: 'This message was deleted.',
  pinned: 'Pinned',
  state: { waiting: 'Waits to be sent', sending: 'Sending…', refused: 'Not sent' },
  retry: 'Retry',
  drop: 'Delete',
  replies: (n: number) => plural(n, { one: '1 reply', other: `${number(n)} replies` }),
  lastReply: (when: string) => `last ${when}`,
  reply: 'Reply in a thread',
  react: 'Add a reaction',
  reaction: (emoji: string, names: string, n: number) => `${emoji}, ${number(n)}: ${names}`,
  more: 'More',
  edit: 'Edit',
  remove: 'Delete',
  pin: 'Pin to the channel',
  unpin: 'Unpin',
  markUnread: 'Mark unread from here',
  copyLink: 'Copy the link',
  copyText: 'Copy the text',
  save: 'Save',
  typing: (names: string, n: number) => plural(n, { one: `${names} is typing…`, other: `${names} are typing…` }),
  several: 'Several people are typing…',
  write: (name: string) => `Message ${name}`,
  writeReply: 'Reply…',
  send: 'Send',
  preview: 'Preview',
  writing: 'Write',
  alsoInChannel: 'Also send to the channel',
  tooLong: 'This is too long for a message: shorten it, or make it a document.',
  theirs: 'Written on another device:',
  mine: 'Keep mine',
  takeTheirs: 'Take this',
  both: 'Keep both',
  members: (n: number) => plural(n, { one: '1 member', other: `${number(n)} members` }),
  jumpToDate: 'Jump to a date',
  thread: 'Thread',
  nobody: 'somebody',
  event: {
    created: 'made this channel',
    joined: (names: string) => `added ${names}`,
    came: 'joined',
    went: 'left',
    left: (names: string) => `removed ${names}`,
    roles: (names: string) => `changed the role of ${names}`,
    name: (name: string) => `renamed the channel to “${name}”`,
    topic: (topic: string) => (topic ? `set the topic: ${topic}` : 'cleared the topic'),
    archived: 'archived the channel',
    unarchived: 'brought the channel back from the archive',
    changed: 'changed the channel',
    pinned: 'pinned a message',
    unpinned: 'unpinned a message',
  },
}

export const text = texts(en)
||||||| 44eee98
=======
import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  members: (n: number) => plural(n, { one: '1 person', other: `${number(n)} people` }),
  details: 'Details of the channel',
  archived: 'Archived: it can be read, not written.',
  messages: (name: string) => `Messages in ${name}`,
  begin: (name: string) => `This is where ${name} begins`,
  beginWhy: 'Write the first message. Everybody in the channel sees it.',
  compose: (name: string) => `Message to ${name}`,
  reply: 'Reply…',
  send: 'Send',
  format: { bold: 'Bold', italic: 'Italic', code: 'Code', list: 'List', quote: 'Quote', link: 'Link', attach: 'Attach a file', emoji: 'Emoji' },
  fresh: 'New',
  edited: 'edited',
  replies: (n: number) => plural(n, { one: '1 reply', other: `${number(n)} replies` }),
  lastReply: (when: string) => `last ${when}`,
  openThread: (n: number, name: string) => `Open the thread of ${name}: ${plural(n, { one: '1 reply', other: `${number(n)} replies` })}`,
  reaction: (emoji: string, n: number, mine: boolean) =>
    `${emoji}, ${plural(n, { one: '1 person', other: `${number(n)} people` })}${mine ? ', you among them' : ''}`,
  does: { bar: 'What to do with the message', react: 'React', reply: 'Reply in a thread', edit: 'Edit', pin: 'Pin', more: 'More' },
  state: { waiting: 'Waiting to be sent', sending: 'Sending…', failed: 'Not sent' },
  retry: 'Send again',
  drop: 'Delete',
  thread: 'Thread',
  gone: 'There is no such channel',
  goneWhy: 'It may be private, or you have left it.',
  browse: 'Browse channels',
}

export const text = texts(en)
>>>>>>> next-ui
