package ot

// Invert is what takes d back after it was applied to base, a document. It fails with PastEnd or SplitPair where d doesn't fit base, with
// NotDocument, and where a handler is missing or refuses.
func (d Delta) Invert(base Delta, embeds Embeds) (Delta, error) {
	if !base.IsDocument() {
		return Delta{}, errorf(NotDocument, NoOp, "the base has retains or deletes")
	}
	c := cursor{ops: base.ops}
	return d.invert(func(op, n int, visit func(Op) error) error {
		for n > 0 {
			if !c.more() {
				return pastEnd(op)
			}
			there, ok := c.take(min(n, c.left()))
			if !ok {
				return splitPair(op)
			}
			if err := visit(there); err != nil {
				return err
			}
			n -= there.n
		}
		return nil
	}, embeds)
}

// invert inverts over a base that is read from its start on: read passes the next n code units of it, for the operation of index op.
func (d Delta) invert(read func(op, n int, visit func(Op) error) error, embeds Embeds) (Delta, error) {
	out := sized(len(d.ops))
	for i, op := range d.ops {
		if op.action == Insert {
			out.push(Op{action: Delete, n: op.n})
			continue
		}
		err := read(i, op.n, func(there Op) error {
			if op.action == Delete {
				out.push(there)
				return nil
			}
			back := Op{action: Retain, n: there.n}
			if op.attrs != nil {
				back.attrs = op.attrs.Invert(there.attrs)
			}
			if op.embed != nil {
				var err error
				if back.embed, err = embeds.inverse(op.embed, there.embed, i); err != nil {
					return err
				}
			}
			out.push(back)
			return nil
		})
		if err != nil {
			return Delta{}, err
		}
	}
	return out.chopped(), nil
}

func pastEnd(op int) *Error { return errorf(PastEnd, op, "it goes past the end of the document") }
