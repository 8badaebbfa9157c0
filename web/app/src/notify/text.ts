import { number, plural } from '../i18n/format.ts'
import { texts } from '../i18n/locale.ts'

export const en = {
  region: 'New messages elsewhere',
  direct: 'wrote to you',
  group: (names: string) => `wrote to you, ${names}`,
  channel: (name: string) => `in #${name}`,
  thread: (name: string) => `in a thread of #${name}`,
  threadDirect: 'replied in a thread',
  title: (who: string, where: string) => `${who} ${where}`,
  announced: (who: string, where: string, line: string) => `${who} ${where}: ${line}`,
  hidden: 'A new message',
  sum: (n: number) => plural(n, { one: '1 new message', other: `${number(n)} new messages` }),
  sumWhy: 'While you were away',
  hint: 'Do you want to be notified when you’re not looking at Plenum?',
  allow: 'Allow notifications',
  later: 'No, thanks',
  nobody: 'Someone',
  back: 'Back',
  pauses: { half: 'For 30 minutes', hour: 'For an hour', twoHours: 'For two hours', tomorrow: 'Until tomorrow morning', open: 'Until I resume them' },
  statusToo: (paused: string, status: string) => `${paused}. Your status “${status}” ends then, too.`,
  resumed: 'Notifications are on again.',
  pauseFailed: 'Notifications were not changed',
}

export const text = texts(en)
