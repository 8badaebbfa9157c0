package ot

// Compose is d, then other, as one change; of a document and a change, the document after it. It fails where other would cut a surrogate pair
// that d inserts, changes an embed that isn't there, or a handler refuses; the index is that of other's operation.
func (d Delta) Compose(other Delta, embeds Embeds) (Delta, error) {
	first, then := cursor{ops: d.ops}, cursor{ops: other.ops}
	out := sized(len(d.ops) + len(other.ops))
	for first.more() || then.more() {
		switch {
		case then.action() == Insert:
			out.push(then.rest())
			continue
		case first.action() == Delete:
			out.push(first.rest())
			continue
		}
		if then.bare() {
			if ops, n := first.whole(then.left(), Delete); len(ops) > 0 {
				out.pushAll(ops, d.normal)
				then.skip(n)
				continue
			}
		}
		n, at := min(first.left(), then.left()), then.i
		there, ok := first.take(n)
		if !ok {
			return Delta{}, splitPair(at)
		}
		change, _ := then.take(n)
		if change.action == Delete {
			if there.action == Retain {
				out.push(change)
			} // an insert that is deleted leaves nothing
			continue
		}
		op, err := over(there, change, embeds, at)
		if err != nil {
			return Delta{}, err
		}
		out.push(op)
	}
	return out.chopped(), nil
}

// over is what a retain makes of what is there, of the same length: an insert, or an earlier retain.
func over(there, change Op, embeds Embeds, at int) (Op, error) {
	// The original forgets to keep nulls if there is an object retain; then an attribute that should go stays.
	there.attrs = there.attrs.Compose(change.attrs, there.action == Retain)
	if change.embed == nil {
		return there, nil
	}
	if there.embed == nil && there.action == Retain {
		there.embed = change.embed
		return there, nil
	}
	var err error
	there.embed, err = embeds.over(there.embed, change.embed, there.action == Retain, at)
	return there, err
}

// ComposeAll composes changes that follow each other: d[0], then d[1], and so on. It halves the list instead of going along it, so that n small
// changes cost n·log n and not n². The error's index is that of an operation in one of the halves, of no meaning outside.
func ComposeAll(changes []Delta, embeds Embeds) (Delta, error) {
	switch len(changes) {
	case 0:
		return Delta{}, nil
	case 1:
		return changes[0], nil
	}
	half := len(changes) / 2
	first, err := ComposeAll(changes[:half], embeds)
	if err != nil {
		return Delta{}, err
	}
	then, err := ComposeAll(changes[half:], embeds)
	if err != nil {
		return Delta{}, err
	}
	return first.Compose(then, embeds)
}
