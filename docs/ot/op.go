package ot

// Action is what an operation does.
type Action uint8

// The actions.
const (
	Retain Action = iota // go on over what is there, perhaps changing its attributes or an embed
	Insert               // text, or an embed
	Delete
)

// Op is one operation of a Delta. It is immutable.
type Op struct {
	action Action
	n      int         // length in UTF-16 code units. Invariant: positive; of text as measured, of an embed 1
	text   string      // of an insert. Invariant: valid UTF-8, empty if there is an embed
	embed  *Embed      // that is inserted, or the change of one that is retained
	attrs  *Attributes // Invariant: none on a delete
}

// Action is what the operation does.
func (o Op) Action() Action { return o.action }

// Len is how much it inserts, retains or deletes, in UTF-16 code units.
func (o Op) Len() int { return o.n }

// Text is what is inserted, "" if that is an embed.
func (o Op) Text() string { return o.text }

// Embed is what is inserted, or how the embed that is retained changes; nil for text and plain lengths.
func (o Op) Embed() *Embed { return o.embed }

// Attributes are what is set, with nulls for what is removed.
func (o Op) Attributes() *Attributes { return o.attrs }

// bare reports a retain that changes nothing.
func (o Op) bare() bool { return o.action == Retain && o.embed == nil && o.attrs == nil }

func (o Op) equal(p Op) bool {
	return o.action == p.action && o.n == p.n && o.text == p.text && o.embed.Equal(p.embed) && o.attrs.Equal(p.attrs)
}
