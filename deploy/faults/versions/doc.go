// Package versions judges what became of documents that people edited while parts of Plenum failed.
//
//	history.go  what is recorded, and all checks together
//	log.go      every gateway tells the same log, over each transport; what was asked for stands in it once, where it was answered, as it was meant
//	order.go    what was asked for after something else was answered comes behind it, and a read sees it
//	replay.go   the log, played from nothing: whatever somebody was shown or read of a version is what the log makes of it
//	marks.go    what each edit wrote stands in the text once and whole, unless its author took it back
//	threads.go  comments stand where their text has gone
//	still.go    how long documents could not be written when their owner had failed
package versions
