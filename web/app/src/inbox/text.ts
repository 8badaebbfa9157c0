import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  title: 'Inbox',
  threads: 'Threads',
  mentions: 'Mentions',
  nothing: 'Nothing waits for you',
  noThreads: 'Threads that you write in, or are named in, gather here with their new replies.',
  noMentions: 'Nobody has named you yet',
  noMentionsWhy: 'When somebody writes @ and your handle, or a group that you are in, it stands here until you have read it.',
  fresh: 'New replies',
  earlier: 'Earlier',
  unread: (n: number) => plural(n, { one: '1 new reply', other: `${number(n)} new replies` }),
  isNew: 'new',
  lastReply: (when: string) => `last reply ${when}`,
  threadIn: (channel: string) => `Thread in ${channel}`,
  before: (n: number) => plural(n, { one: 'Open: 1 earlier reply', other: `Open: ${number(n)} earlier replies` }),
  open: 'Open the thread',
  reply: 'Reply',
  replyHere: 'Reply…',
  read: 'Mark as read',
  readAll: 'Mark all as read',
  allRead: (n: number) => plural(n, { one: '1 thread is marked as read.', other: `${number(n)} threads are marked as read.` }),
  unfollow: 'Stop following',
  unfollowed: (channel: string) => `You follow this thread in ${channel} no longer.`,
  deleted: 'This message was deleted.',
  notHere: 'The message is not on this device.',
  inChannel: (name: string) => `in #${name}`,
  inThread: (where: string) => `${where}, in a thread`,
  older: 'Show older ones',
  olderFailed: 'Older ones could not be read',
}

export const text = texts(en)
