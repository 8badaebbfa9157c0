/**
 * The texts of what is loaded at first: the shell and ui/. What is loaded later has its own catalogue, text.ts in its folder. A text that has values in it is a function;
 * what counts goes through plural(). holes.test.ts finds texts that nobody uses.
 */
import { number, plural } from './format.ts'
import { texts } from './locale.ts'

export const en = {
  close: 'Close',
  cancel: 'Cancel',
  retry: 'Try again',
  loading: 'Loading…',
  copied: 'Copied.',
  field: { show: 'Show the password', hide: 'Hide the password' },
  toast: { region: 'Messages from Plenum', dismiss: 'Dismiss' },
  presence: { unknown: 'presence unknown', offline: 'offline', online: 'online', away: 'away', busy: 'busy', silent: 'do not disturb' },
  role: { owner: 'Owner', admin: 'Administrator', member: 'Member', guest: 'Guest', service: 'Service account' },
  shell: {
    skip: 'Skip to the content',
    menu: 'Open the sidebar',
    sidebar: 'Channels and people',
    pane: 'Beside',
    closePane: 'Close the pane',
    search: 'Search or jump to',
    help: 'Keyboard shortcuts',
    account: (name: string) => `${name}: account and status`,
    title: (count: number, place: string, workspace: string) => `${count > 0 ? `(${number(count)}) ` : ''}${place} · ${workspace}`,
    home: 'Home',
    wentWrong: 'This part of Plenum could not be loaded',
    wentWrongWhy: 'The network may be away, or Plenum was updated. Nothing that you wrote is lost.',
    reload: 'Load the page anew',
    notFound: 'There is nothing here',
    notFoundWhy: 'The link may be old, or it leads to something that was never shared with you.',
    toStart: 'Go to the first channel',
  },
  sidebar: {
    channels: 'Channels',
    direct: 'Direct messages',
    newChannel: 'New channel',
    newDirect: 'New message',
    browse: 'Browse channels',
    people: 'People',
    noChannels: 'No channels yet. Browse those that there are, or make one.',
    noDirect: 'Nobody yet. Pick somebody and say hello.',
    unread: (name: string, n: number) => `${name}, ${plural(n, { one: '1 new message', other: `${number(n)} new messages` })}`,
    calls: (n: number) => plural(n, { one: '1 asks for you', other: `${number(n)} ask for you` }),
    draft: 'has a draft',
    muted: 'muted',
    fold: (name: string) => `Show or hide: ${name}`,
    private: 'private',
  },
  connection: {
    region: 'Connection',
    connecting: 'Connecting…',
    offline: 'You are offline. Read and write on: it is sent when you are back.',
    retrying: (s: number) => `Reconnecting in ${number(s)} s`,
    retryNow: 'Now',
    sending: (n: number) => plural(n, { one: 'Sending 1 change…', other: `Sending ${number(n)} changes…` }),
    waiting: (n: number) => plural(n, { one: '1 change waits to be sent', other: `${number(n)} changes wait to be sent` }),
    outdated: 'Plenum was updated. Load the page anew to go on.',
  },
  account: {
    status: 'Set a status…',
    profile: 'Profile',
    settings: 'Settings',
    administration: 'Administration',
    signOut: 'Sign out',
    theme: { light: 'Light theme', dark: 'Dark theme', system: 'Theme of the system' },
  },
  group: { go: 'Go', view: 'View', do: 'Do', help: 'Help' },
  command: {
    palette: 'Search and commands',
    nextUnread: 'Next unread channel',
    previousUnread: 'Previous unread channel',
    nextChannel: 'Next channel',
    previousChannel: 'Previous channel',
    nextPart: 'Next part of the window',
    closePane: 'Close the pane',
    markRead: 'Mark the channel as read',
    contrast: 'More contrast, on or off',
    noUnread: 'Nothing is unread.',
  },
  signOut: {
    title: 'Sign out?',
    words: 'What is kept on this device is erased: messages, people, drafts.',
    unsent: (n: number) =>
      plural(n, { one: '1 change was not sent yet. It is lost if you sign out now.', other: `${number(n)} changes were not sent yet. They are lost if you sign out now.` }),
  },
  refusal: {
    offline: 'There is no connection. Try again when you are online.',
    signIn: 'This workspace, handle and password do not belong together. Check all three; a forgotten password is reset by an administrator.',
    link: 'This link has been used, has expired or was withdrawn. Ask who sent it for a new one.',
    slug: 'This address is taken. Choose another one.',
    handle: 'Somebody has this handle. Choose another one.',
    attempts: (s: number) => `Too many attempts. Wait ${plural(s, { one: '1 second', other: `${number(s)} seconds` })}, then try again.`,
    busy: 'Plenum is busy at this moment. Try again in a few seconds.',
    permission: 'You are not allowed to do that. Ask an administrator.',
    unknown: (message: string) => (message ? `${message}.` : 'Something went wrong. Try again.'),
  },
}

/** text is the core's catalogue in the language in use. */
export const text = texts(en)
