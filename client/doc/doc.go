// Package doc is a co-edited document at a client: one edit under way, what was typed meanwhile behind it, and nothing typed ever lost.
//
// Open reads what a file has of the document, Run talks to the server until its context ends, and Edit changes what is shown, at once, with or
// without a connection. What others do comes by the document's topic; each side transforms the other's edits (docs/ot), so that all end with the
// same bytes.
//
// # The way of an edit
//
// Edit applies it to what is shown, composes it into the buffer, and has it on disk before it returns. Where nothing is under way, the buffer
// becomes what is under way (state.send): it gets a client_seq, is written down with it, and is sent until there is an answer, over any
// connection and by any later run, byte for byte the same. It is settled by its event, which names it (Event.mutation), or by its answer,
// whichever comes first.
//
// # What can't be taken
//
// An edit that the server refuses for good is taken out of what is shown, and kept (Refused) until the program forgets it. Where the log can't be
// followed any more, the document is read anew, and what is pending is transformed over the difference.
//
// Invariant: what is shown is the server's content of a version, then the edit under way, then the buffer.
package doc
