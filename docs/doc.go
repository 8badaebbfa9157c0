// Package docs keeps documents that many edit at the same time: one log for each, and one process that owns it.
//
// A document's events stand in topic "docs.document/<id>"; an offset is a version. The content is what the edits up to a version make of
// nothing. Whoever opens a document becomes its owner: it takes a term in SQL, reads the newest snapshot and what follows it (load.go), and
// from then on orders all that happens to the document (session.go): each edit is transformed to follow what came since its base, applied,
// committed in a group with those of other documents (plan.go), and told by the log.
//
// Invariant: every append is conditional on the owner's term and on the version before it, in its own transaction. What one process
// believes of another decides how long somebody waits, never what is written.
// Invariant: a document that can't be read whole is not opened. It is never taken for an empty one, and nothing is written to it.
// Invariant: what is told to anybody was committed.
// Invariant: who may do what is decided by docs_role, docs_share and docs_member alone. Behind the event that tells that somebody's access changed
// nothing is done, or shown, by what it was before.
package docs
