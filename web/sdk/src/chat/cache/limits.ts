/** KEPT_MS is how old a message on disk may be, in milliseconds: 30 days. */
export const KEPT_MS = 30 * 24 * 3_600_000

/** CHANNEL_MESSAGES is how many messages of one channel are kept on disk: the newest. */
export const CHANNEL_MESSAGES = 5_000

/** ALL_MESSAGES is how many in all. */
export const ALL_MESSAGES = 50_000

/** EVICTED is the part of all messages, of the oldest, that goes where the disk is full. */
export const EVICTED = 0.25

/** SCANNED is how many messages one step of a search looks at. */
export const SCANNED = 2_000
