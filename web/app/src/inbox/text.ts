import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'Inbox',
  threads: 'Threads',
  mentions: 'Mentions',
  nothing: 'You’re all caught up',
  noThreads: 'Threads you write in, or are mentioned in, show up here with their new replies.',
  noMentions: 'No mentions yet',
  noMentionsWhy: 'When someone mentions you, or a group you are in, it shows up here.',
  fresh: 'New replies',
  earlier: 'Earlier',
  unread: (n: number) => plural(n, { one: '1 new reply', other: `${number(n)} new replies` }),
  isNew: 'new',
  lastReply: (when: string) => `last reply ${when}`,
  threadIn: (channel: string) => `Thread in ${channel}`,
  before: (n: number) => plural(n, { one: 'Show 1 earlier reply', other: `Show ${number(n)} earlier replies` }),
  open: 'Open the thread',
  reply: 'Reply',
  replyHere: 'Reply…',
  read: 'Mark as read',
  readAll: 'Mark all as read',
  allRead: (n: number) => plural(n, { one: '1 thread marked as read.', other: `${number(n)} threads marked as read.` }),
  unfollow: 'Stop following',
  unfollowed: (channel: string) => `You no longer follow this thread in ${channel}.`,
  aGroup: 'a group',
  deleted: 'This message was deleted.',
  notHere: 'This message is not on this device.',
  inChannel: (name: string) => `in #${name}`,
  inThread: (where: string) => `${where}, in a thread`,
  older: 'Show older',
  olderFailed: 'Older ones could not be loaded',
}

export const text = texts(en)
