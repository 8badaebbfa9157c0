package doc

import "plenum.internal/docs/ot"

// What is sent as one operation is shorter than a call may be, so that a long paste, or a day's work offline, goes in parts.
const (
	sendBytes = 512 << 10 // of JSON
	sendOps   = 16 << 10
)

// split divides an edit into two that follow each other: as much as is sent at once, and the rest.
func split(d ot.Delta, maxBytes, maxOps int) (first, rest ot.Delta, err error) {
	at, room := 0, maxBytes // at: in lengths of operations
	for i, op := range d.Ops() {
		n := op.Len()
		size, err := jsonSize(d, at, n)
		if err != nil {
			return ot.Delta{}, ot.Delta{}, err
		}
		if i < maxOps && size <= room {
			at, room = at+n, room-size
			continue
		}
		if op.Text() != "" && i < maxOps {
			for n /= 2; n > 0; n /= 2 {
				if size, err := jsonSize(d, at, n); err == nil && size <= room { // else within a surrogate pair
					at += n
					break
				}
			}
		}
		return cut(d, at)
	}
	return d, ot.Delta{}, nil
}

// jsonSize is how long a part of an edit is as JSON, its frame included.
func jsonSize(d ot.Delta, at, n int) (int, error) {
	part, err := d.Slice(at, at+n)
	if err != nil {
		return 0, err
	}
	return len(part.AppendJSON(nil)), nil
}

// cut divides an edit at a place among its operations.
func cut(d ot.Delta, at int) (first, rest ot.Delta, err error) {
	if first, err = d.Slice(0, at); err != nil {
		return ot.Delta{}, ot.Delta{}, err
	}
	behind, err := d.Slice(at, ot.End)
	if err != nil {
		return ot.Delta{}, ot.Delta{}, err
	}
	var b ot.Builder
	skip, err := b.Retain(first.Length()-deleted(first), nil).Delta()
	if err != nil {
		return ot.Delta{}, ot.Delta{}, err
	}
	first, err = first.Compose(ot.Delta{}, nil) // in normal form
	return first, skip.Concat(behind), err
}

func deleted(d ot.Delta) (n int) {
	for _, op := range d.Ops() {
		if op.Action() == ot.Delete {
			n += op.Len()
		}
	}
	return n
}
