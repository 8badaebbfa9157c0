package ot

// The two values of Transform's priority: was the Delta that it is called on committed before the other one, or after it?
const (
	Earlier = true
	Later   = false
)

// Transform is other as it is to be applied after d, where both were made for the same document. With priority Earlier, d was committed first:
// its inserts stand before other's at the same place, its attributes stay where both set one. It fails where a handler is missing or refuses; the
// index is that of other's operation.
func (d Delta) Transform(other Delta, priority bool, embeds Embeds) (Delta, error) {
	ours, theirs := cursor{ops: d.ops}, cursor{ops: other.ops}
	out := sized(len(other.ops) + min(len(d.ops), 2))
	for theirs.more() { // behind them there are bare retains only
		switch {
		case ours.bare():
			if ops, n := theirs.whole(ours.left(), Insert); len(ops) > 0 {
				out.pushAll(ops, other.normal)
				ours.skip(n)
				continue
			}
		case theirs.bare():
			if ops, n := ours.whole(theirs.left(), Insert); len(ops) > 0 {
				out.retain(ops)
				theirs.skip(n)
				continue
			}
		}
		switch {
		case ours.action() == Insert && (priority || theirs.action() != Insert):
			out.push(Op{action: Retain, n: ours.rest().n})
			continue
		case theirs.action() == Insert:
			out.push(theirs.rest())
			continue
		}
		n, at := min(ours.left(), theirs.left()), theirs.i
		our, _ := ours.take(n)
		their, _ := theirs.take(n)
		switch {
		case our.action == Delete: // what they change or delete is gone
			continue
		case their.action == Delete:
			out.push(their)
			continue
		}
		their.attrs = our.attrs.Transform(their.attrs, priority)
		if our.embed != nil && their.embed != nil {
			var err error
			if their.embed, err = embeds.transform(our.embed, their.embed, priority, at); err != nil {
				return Delta{}, err
			}
		}
		out.push(their)
	}
	return out.chopped(), nil
}

// retain goes on over what is there after operations.
func (b *Builder) retain(ops []Op) {
	n := 0
	for i := range ops {
		if ops[i].action != Delete {
			n += ops[i].n
		}
	}
	if n > 0 {
		b.push(Op{action: Retain, n: n})
	}
}

// TransformPosition is where a position in the document, in UTF-16 code units, is after d. With priority Earlier a cursor stays before what d
// inserts at its place, with Later it comes to stand behind it.
func (d Delta) TransformPosition(position int, priority bool) int {
	at := 0
	for _, op := range d.ops {
		if at > position {
			break
		}
		switch op.action {
		case Delete:
			position -= min(op.n, position-at)
			continue
		case Insert:
			if at < position || !priority {
				position += op.n
			}
		case Retain:
		}
		at += op.n
	}
	return position
}
