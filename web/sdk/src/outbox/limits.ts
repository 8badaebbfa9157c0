/** How many entries an outbox holds; one more is refused with 202 `client.OUTBOX_FULL`. */
export const maxEntries = 10_000
/** How many bytes their requests have; more are refused likewise. */
export const maxBytes = 64 << 20
/** After so many milliseconds an entry is refused (103 `client.TOO_OLD`) rather than sent: servers remember numbers for 35 days. */
export const maxAge = 30 * 24 * 3600_000
/** How many entries are under way at a time: half of what the protocol admits with those that wait, so that other calls have the rest. */
export const maxSent = 32
/** And of one lane: the server runs them one after the other, so that more only wait there. */
export const maxSentOfLane = 8
/** How many lanes a connection has (PROTOCOL.md §5). Of more lanes in the outbox the others wait for one. */
export const maxLanes = 16
/** The waits before a repetition that the server gave no time for: random ones, below a ceiling that doubles from the first to the second, in ms. */
export const firstWait = 500
export const longestWait = 30_000
/** How many numbers are reserved by one write. */
export const blockOfNumbers = 64
/** Of how many entries that have left the keys are remembered, for who puts one again whose answer was lost. */
export const maxPast = 64
/** How many answers are remembered for those who ask late, each of at most so many bytes; behind that it is known only that there was one. */
export const maxAnswers = 256
export const maxAnswerBytes = 16 << 10
