import { texts } from '../i18n/locale.ts'

export const en = {
  version: {
    ready: 'A new version is ready',
    why: 'All tabs of Plenum are loaded anew. Drafts stay.',
    reload: 'Reload',
    notNow: 'Not now',
  },
  storage: {
    full: 'This device is full',
    fullWhy: 'What you read now is not kept for offline. Free some space, and it will be.',
    low: 'This device is nearly full',
    lowWhy: 'Free some space, or older messages are not kept for offline.',
    off: 'Nothing is kept on this device',
    offWhy: 'Its storage can’t be written. Stay online, and do not close Plenum before all is sent. Loading the page anew may help.',
    none: 'Plenum can’t keep anything in this browser',
    noneWhy: 'Without that nobody stays signed in. Its storage may be full, broken, or switched off for this site: free some space, or allow it, then try again.',
    lost: 'That could not be kept, so it was not done',
  },
}

export const text = texts(en)
