import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  members: (n: number) => plural(n, { one: '1 person', other: `${number(n)} people` }),
  details: 'Details of the channel',
  archived: 'Archived: it can be read, not written.',
  messages: (name: string) => `Messages in ${name}`,
  begin: (name: string) => `This is where ${name} begins`,
  channel: (name: string) => `#${name}`,
  beginWhy: 'Write the first message. Everybody in the channel sees it.',
  compose: (name: string) => `Write to ${name}`,
  reply: 'Reply…',
  send: 'Send',
  format: { bold: 'Bold', italic: 'Italic', code: 'Code', list: 'List', quote: 'Quote', link: 'Link', attach: 'Attach a file', emoji: 'Emoji' },
  fresh: 'New',
  edited: 'edited',
  replies: (n: number) => plural(n, { one: '1 reply', other: `${number(n)} replies` }),
  lastReply: (when: string) => `last ${when}`,
  openThread: (name: string) => `Open the thread of ${name}:`,
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
