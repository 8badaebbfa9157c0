package ot

// Builder makes a Delta in normal form, operation by operation. The zero Builder is empty.
type Builder struct {
	ops []Op
	// A text that grows is kept apart, so that a thousand inserts that become one take a thousand steps, not a million.
	growing int    // its operation's index + 1; 0: none
	text    []byte // Invariant: while growing, the text of that operation, whose own is out of date
	err     error
}

func sized(ops int) Builder { return Builder{ops: make([]Op, 0, ops)} }

// Insert adds text; empty text nothing. Text that is not UTF-8 fails in Delta.
func (b *Builder) Insert(text string, attrs *Attributes) *Builder {
	if !validText(text) {
		return b.fail(errorf(BadText, len(b.ops), "its text is not UTF-8"))
	}
	if text != "" {
		n, _ := measure(text)
		b.push(Op{action: Insert, n: n, text: text, attrs: attrs})
	}
	return b
}

// InsertEmbed adds an embed.
func (b *Builder) InsertEmbed(e *Embed, attrs *Attributes) *Builder {
	b.push(Op{action: Insert, n: 1, embed: e, attrs: attrs})
	return b
}

// Retain goes on over n code units and sets attributes there; nil sets none. 0 adds nothing; what is negative or too long fails in Delta.
func (b *Builder) Retain(n int, attrs *Attributes) *Builder {
	return b.length(Op{action: Retain, n: n, attrs: attrs})
}

// RetainEmbed changes the embed that is here by its type's handler.
func (b *Builder) RetainEmbed(change *Embed, attrs *Attributes) *Builder {
	if change.kind == "" {
		return b.fail(errorf(Malformed, len(b.ops), "a change of an embed has one key, its type"))
	}
	b.push(Op{action: Retain, n: 1, embed: change, attrs: attrs})
	return b
}

// Delete removes n code units. 0 adds nothing; what is negative or too long fails in Delta.
func (b *Builder) Delete(n int) *Builder {
	return b.length(Op{action: Delete, n: n})
}

// Delta is what was built; the builder is then empty. It fails if something that was added can't be.
func (b *Builder) Delta() (Delta, error) {
	d, err := b.done(), b.err
	*b = Builder{}
	if err != nil {
		return Delta{}, err
	}
	return d, nil
}

func (b *Builder) length(op Op) *Builder {
	if op.n < 0 || op.n > MaxLength {
		return b.fail(errorf(BadLength, len(b.ops), "its length is %d", op.n))
	}
	if op.n > 0 {
		b.push(op)
	}
	return b
}

func (b *Builder) fail(err error) *Builder {
	if b.err == nil {
		b.err = err
	}
	return b
}

// push adds an operation where the normal form wants it: an insert before a delete at the same place, and into its neighbour if it can be.
func (b *Builder) push(op Op) {
	last := len(b.ops) - 1
	if last >= 0 && b.ops[last].action == Delete {
		switch op.action {
		case Delete:
			b.ops[last].n += op.n
			return
		case Insert:
			last--
		case Retain:
		}
	}
	if last >= 0 && b.merge(last, op) {
		return
	}
	b.ops = append(b.ops, op)
	if end := len(b.ops) - 1; last+1 < end {
		b.ops[end-1], b.ops[end] = b.ops[end], b.ops[end-1]
	}
}

// pushAll adds operations that follow each other in a Delta. If that is in normal form, those behind a retain need no look.
func (b *Builder) pushAll(ops []Op, normal bool) {
	for i, op := range ops {
		b.push(op)
		if normal && op.action == Retain {
			b.settle()
			b.ops = append(b.ops, ops[i+1:]...)
			return
		}
	}
}

// merge makes one operation of the one at i and the next.
func (b *Builder) merge(i int, op Op) bool {
	into := &b.ops[i]
	if into.action != op.action || op.action == Delete || into.embed != nil || op.embed != nil || !into.attrs.Equal(op.attrs) {
		return false
	}
	if op.action == Insert {
		if b.growing != i+1 {
			b.settle()
			b.text = append(b.text[:0], into.text...)
			b.growing = i + 1
		}
		b.text = append(b.text, op.text...)
	}
	into.n += op.n
	return true
}

// settle gives the operation whose text grew its text.
func (b *Builder) settle() {
	if b.growing > 0 {
		b.ops[b.growing-1].text = string(b.text)
		b.growing = 0
	}
}

// done is what was pushed.
func (b *Builder) done() Delta {
	b.settle()
	return Delta{b.ops, true}
}

// chopped is what was pushed, without a bare retain at the end.
func (b *Builder) chopped() Delta {
	b.settle()
	if n := len(b.ops); n > 0 && b.ops[n-1].bare() {
		b.ops = b.ops[:n-1]
	}
	return Delta{b.ops, true}
}
