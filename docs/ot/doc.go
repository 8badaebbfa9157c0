// Package ot is the algebra of co-edited rich text: Quill's Delta as the npm package quill-delta 5.1 behaves, and a document under such edits.
//
// A Delta is a list of operations that goes through a document from its start: insert text or an embed, retain so much, delete so much. All
// lengths are UTF-16 code units, as in browsers; an embed counts as one. Deltas, operations, attributes and values are immutable and may be
// shared between goroutines; a Document is one goroutine's, its clones are others'.
//
// # Order
//
// a.Transform(b, Earlier, …) is b as it is to be applied after a, where a was committed first: a's insert stands before b's at the same
// place, and a's value of an attribute stays. A server transforms what comes in over what was committed with Earlier; a client transforms
// what the server sends over its own pending operation with Later. Then both sides get the same document (TP1):
//
//	a ∘ a.Transform(b, Earlier) = b ∘ b.Transform(a, Later)
//
// Transforming over two committed operations one after the other is not always the same as transforming over their composition: an insert
// moves before a deletion that it is composed with. So whoever composes must be alone with it: a client composes its own pending operations
// before it sends them, and server and client go over committed ones one by one, in order (Rebase).
//
// # What is refused
//
// The zero-length operations that corrupt the original's iterator, lone surrogates, which encoding/json would turn into U+FFFD, and every
// boundary that would cut a surrogate pair of the document are errors with a number (Kind). Text is always valid UTF-8.
//
// Invariant: every Delta that a function here returns, Parse and Slice apart, is in normal form: neighbours that can be one operation are one, an
// insert stands before a delete at the same place; and what Compose, Transform, Invert and Diff return does not end with a bare retain.
//
// Sources: the behaviour of quill-delta 5.1.0 and fast-diff 1.3.0, held to it by a cross-check (oracle_test.go); E. Myers, An O(ND)
// Difference Algorithm and Its Variations (1986); N. Fraser's clean-up of differences (Diff Match and Patch); RFC 8785 for canonical JSON.
package ot
