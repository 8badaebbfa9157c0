// Package editors is people who write documents together: at programs that lose their connection, are killed and go on from their files, and what
// they ask, are answered and are shown is recorded as a history.
//
//	editors.go  the workspace, its people, documents and programs
//	program.go  a program with documents open: what is done at it, and its deaths
//	typing.go   the edits that are made
//	page.go     a content as who edits it sees it
//	window.go   what a person does besides: pulses, comments, reading
//	leash.go    a program's network, which can be cut
//	record.go   what a client sent and was told, as its frames say
//	audit.go    the documents' logs and versions, read anew at each gateway, over each transport
package editors
