package ot

import "crypto/sha256"

// Document is a text with attributes and embeds under edits. It is a B-tree whose leaves hold up to a kilobyte of text each: an edit costs the
// logarithm of the document's length, wherever it is, and typing at one place does not leave crumbs.
//
// Its nodes are copied on write: Clone takes a moment, and shares all that neither changes. A Document is not safe for concurrent use; clones may
// be used by different goroutines.
type Document struct {
	root    *node
	owner   *owner // Invariant: a node with this owner belongs to this Document alone
	formats formats
	limits  Limits
	embeds  Embeds
}

// NewDocument makes a document of its content, a Delta of inserts only, within the limits. Embeds may be nil. Whoever opens a stored one does that
// with Unlimited, applies what follows it in the log, and then sets the limits.
func NewDocument(content Delta, limits Limits, embeds Embeds) (*Document, error) {
	for i, op := range content.ops {
		if op.action != Insert {
			return nil, errorf(NotDocument, i, "a document has inserts only")
		}
	}
	d := &Document{owner: new(owner), limits: limits, embeds: embeds}
	d.root = &node{owner: d.owner}
	if err := d.Apply(content); err != nil {
		return nil, err
	}
	return d, nil
}

// Clone is a document of the same content. Both go on by themselves.
func (d *Document) Clone() *Document {
	c := *d
	d.owner, c.owner = new(owner), new(owner)
	c.formats = nil
	return &c
}

// SetLimits changes what Apply takes from here on.
func (d *Document) SetLimits(limits Limits) { d.limits = limits }

// Len is the length in UTF-16 code units.
func (d *Document) Len() int { return d.root.sum.units }

// Embeds is how many there are.
func (d *Document) Embeds() int { return d.root.sum.embeds }

// Cuts reports that a place, in UTF-16 code units, is within a surrogate pair.
func (d *Document) Cuts(at int) bool { return d.root.cuts(at) }

// Check says whether Apply would take a change, and why not, without changing anything.
func (d *Document) Check(change Delta) error {
	_, err := d.check(change)
	return err
}

// Delta is the whole content, in normal form.
func (d *Document) Delta() Delta {
	return Delta{d.ops(0, d.Len()), true}
}

// Slice is what lies between two places, in UTF-16 code units, in normal form; what is beyond the end is not there. It fails with SplitPair.
func (d *Document) Slice(start, end int) (Delta, error) {
	start, end = max(start, 0), min(end, d.Len())
	if start >= end {
		return Delta{}, nil
	}
	if d.root.cuts(start) || d.root.cuts(end) {
		return Delta{}, splitPair(NoOp)
	}
	return Delta{d.ops(start, end), true}, nil
}

// Invert is what takes change back once it was applied to the document as it is now. It fails as Delta.Invert does.
func (d *Document) Invert(change Delta) (Delta, error) {
	at := 0
	return change.invert(func(op, n int, visit func(Op) error) error {
		from, to := at, at+n
		at = to
		switch {
		case to > d.Len():
			return pastEnd(op)
		case d.root.cuts(to):
			return splitPair(op)
		case change.ops[op].bare():
			return visit(Op{action: Retain, n: n})
		}
		for _, there := range d.ops(from, to) {
			if err := visit(there); err != nil {
				return err
			}
		}
		return nil
	}, d.embeds)
}

// Hash is the SHA-256 of the canonical JSON: the same for the same content, whatever edits led to it.
func (d *Document) Hash() [sha256.Size]byte {
	h := sha256.New()
	buf := make([]byte, 0, 8<<10)
	d.encode(buf, func(b []byte) []byte {
		if len(b) < 4<<10 {
			return b
		}
		_, _ = h.Write(b)
		return b[:0]
	}, func(b []byte) { _, _ = h.Write(b) })
	return [sha256.Size]byte(h.Sum(nil))
}

// AppendJSON writes the whole content as Delta.AppendJSON does, without making a Delta of it first.
func (d *Document) AppendJSON(dst []byte) []byte {
	d.encode(dst, func(b []byte) []byte { return b }, func(b []byte) { dst = b })
	return dst
}

// encode writes canonical JSON behind dst; whenever there is some, flush may take it. What is left at the end goes to last.
func (d *Document) encode(dst []byte, flush func([]byte) []byte, last func([]byte)) {
	dst = append(dst, `{"ops":[`...)
	var before *run
	d.root.walk(0, d.Len(), func(r *run, text []byte) bool {
		if before == nil || !before.joins(r) {
			if before != nil {
				dst = append(before.appendEnd(dst), ',')
			}
			dst = r.appendStart(dst)
		}
		dst = flush(appendEscaped(dst, text))
		before = r
		return true
	})
	if before != nil {
		dst = before.appendEnd(dst)
	}
	last(append(dst, `]}`...))
}

func (r *run) appendStart(dst []byte) []byte {
	dst = append(dst, '{')
	if r.attrs != nil {
		dst = append(dst, `"attributes":`...)
		dst = append(append(dst, r.attrs.json...), ',')
	}
	dst = append(dst, `"insert":`...)
	if r.embed != nil {
		return append(dst, r.embed.json...)
	}
	return append(dst, '"')
}

func (r *run) appendEnd(dst []byte) []byte {
	if r.embed == nil {
		dst = append(dst, '"')
	}
	return append(dst, '}')
}
