// The connection's own limits and times. The protocol's are told by the server in Welcome. Times are in ms, sizes in bytes.

/** For a token and a connection; longer is a failure like any other. */
export const dialBy = 15_000
/** From a connection to its Welcome; later the connection is lost. */
export const welcomeBy = 10_000
/** Without a word from the server; then it is asked by Ping. */
export const silence = 35_000
/** For the Pong; later the connection is lost. */
export const pongBy = 5_000
/** Between two words that the person is at it. */
export const activeGap = 60_000
/** Before the token's end another one is asked for. */
export const refreshBefore = 60_000
/** After a token could not be got: there are 60 s until it ends, and 60 s of grace. */
export const refreshAgain = 5_000
/** The first wait's ceiling, and the last one's. */
export const backoffBase = 500
export const backoffMax = 30_000
/** A connection makes one failure good for each. */
export const backoffGood = 5_000
/** An event waits so long for what it depends on. */
export const holdBack = 2_000
/** Events of a topic that wait; the oldest of more are shown as if they had waited long enough. */
export const maxHeld = 1_000
/** Dependencies of an event; the others are not looked at. */
export const maxContext = 8
/** Calls under way or waiting; one more is 202 `client.TOO_MANY_CALLS`. */
export const maxCalls = 256
/** Calls that execute at once, until Welcome tells the server's own number. */
export const defaultCalls = 32
/** Of a call's body, until Welcome tells how long a message may be; more is 104 `client.BODY_TOO_LARGE`. */
export const maxBody = 1 << 20
/** What a message holds besides the body of a call. */
export const callBytes = 4 << 10
/** Topics; one more is told 342 `client.TOO_MANY_TOPICS`. */
export const maxFollowed = 5_000
/** Topics in one Subscribe or Unsubscribe; more go in the next one. */
export const maxWants = 500
/** Of one Subscribe; more goes in the next one, so that the first ones go along with Hello. */
export const subscribeBytes = 48 << 10
/** Frames in one message; more go in the next one. */
export const maxFrames = 64
/** Of the message that begins with Hello; more goes in the next one. */
export const firstMessage = 64 << 10
/** That a frame takes in a message besides its own. */
export const frameBytes = 6
/** Of one message from the server; a longer one ends the connection. */
export const readLimit = 8 << 20
/** Of an update of a view, in all its parts; more end the connection. */
export const viewBytes = 8 << 20
/** Topics that the server has numbered; more end the connection. */
export const maxRefs = 100_000
/** Waiting to be sent: beyond, signals are dropped. */
export const signalRoom = 64 << 10
/** A signal's key and body; a longer one is refused by a RangeError. */
export const signalKey = 32
export const signalBody = 1 << 10
/** Signals a second, until Welcome tells the server's own number; more are dropped. */
export const defaultSignals = 20
/** Hello's agent; a longer one is refused by a RangeError. */
export const maxAgent = 64

// Of connections that consist of requests.

/** Changes of what is followed go into one request. */
export const gather = 30
/** A request that is to be replaced gets so long to be answered first. */
export const settleBy = 2_000
/** For news, before a poll is answered without: proxies cut what is silent for a minute. */
export const pollWait = 25_000
/** Of a busy topic: what happens meanwhile comes in one answer. */
export const pollEvery = 100
/** Polls with calls without a lane at the same time. A browser has six requests to a host, over HTTP/1.1: one of them listens. */
export const callPolls = 4
/** Calls in one poll; more go in the next one. */
export const callBatch = 32
/** For a poll's calls: longer than the longest. */
export const callBy = 80_000
/** Signals that wait, of different keys; more are dropped. */
export const signalBatch = 62
/** For a poll with signals. */
export const signalBy = 10_000
/** That are read of an answer that is a refusal. */
export const errorBody = 64 << 10

// Of the choice between transports.

/** What is open and says nothing for so long is held back by something on the way. */
export const trialBy = 4_000
/** What is better than what works is tried again after this; twice as long after each time in vain. */
export const betterFrom = 600_000
/** The same where the better one has worked before: it was away for a moment, perhaps. */
export const betterSoon = 60_000
export const betterMost = 3_600_000
