// Package awareness is what is known of the people in an open document: who is there, where, what they did just now, and where they may be in each
// other's way. It is pure: signals, events and times are told to it, and it says what entries a view of it has.
package awareness

import "time"

// Limits, and times. Those that clients rely on stand in PROTOCOL.md §11a.
const (
	Gone      = 75 * time.Second // without a signal, then a session is not in the document any more
	Settled   = 30 * time.Second // in which everybody has signalled who is in the document
	MaxShown  = 200              // people that have an entry
	MaxAreas  = 32               // areas that have an entry
	MaxSignal = 1 << 10          // bytes of a signal's body

	maxPeople   = 1000 // in the document, or whose work is remembered; one more takes the place of who isn't there, or is not known
	maxSessions = 8    // of a person; one more takes the place of the oldest
	maxMarks    = 4    // of a person: stretches of editing
	maxSpans    = 4    // of a mark; those that are closest to each other become one
	maxEdited   = 64   // marks that areas are made of, the newest
	maxAhead    = 1000 // versions that a signal may be ahead of what is committed: more is nonsense
	maxRecent   = 500  // edits that older places are moved over, …
	maxBytes    = 512 << 10
	maxOps      = 1000 // operations of an edit that places are moved over; behind a longer one they are not known until they are told again

	stretch   = 10 * time.Second // in which all that somebody types counts once
	lately    = 5 * time.Minute  // what was done since then makes somebody active
	warm      = 2 * time.Minute  // a cursor that was moved since then counts for areas
	justNow   = 10 * time.Second // edits since then make an area severe
	afresh    = 30 * time.Second // and since then an area at all
	nearLines = 2                // between cursors
	editLines = 5                // between edits
)
