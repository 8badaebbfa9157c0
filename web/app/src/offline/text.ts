import { texts } from '../i18n/locale.ts'

export const en = {
  version: {
    ready: 'A new version is ready',
    why: 'All Plenum tabs will reload. Your drafts are kept.',
    reload: 'Reload',
    notNow: 'Not now',
  },
  storage: {
    full: 'This device is full',
    fullWhy: 'What you read now isn’t kept for offline use. Free some space to keep it.',
    low: 'This device is nearly full',
    lowWhy: 'Free some space, or older messages won’t be kept for offline use.',
    off: 'Nothing is kept on this device',
    offWhy: 'Its storage can’t be written. Stay online, and don’t close Plenum until everything is sent. Reloading the page may help.',
    none: 'Plenum can’t keep anything in this browser',
    noneWhy: 'Without it you can’t stay signed in. Its storage may be full, broken, or switched off for this site: free some space, or allow it, then try again.',
    lost: 'That could not be kept, so it was not done',
  },
}

export const text = texts(en)
