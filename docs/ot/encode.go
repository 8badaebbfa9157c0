package ot

import "strconv"

// AppendJSON writes the Delta as canonical JSON (RFC 8785): {"ops":[…]}, no white space, the keys of every object sorted, numbers and strings as
// JSON.stringify writes them. Equal Deltas have equal texts.
func (d Delta) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"ops":[`...)
	for i, op := range d.ops {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = op.appendJSON(dst)
	}
	return append(dst, `]}`...)
}

// JSON is what AppendJSON writes.
func (d Delta) JSON() string { return string(d.AppendJSON(nil)) }

// String is the JSON, for logs and tests.
func (d Delta) String() string { return d.JSON() }

func (o Op) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if o.attrs != nil {
		dst = append(dst, `"attributes":`...)
		dst = append(append(dst, o.attrs.json...), ',')
	}
	switch o.action {
	case Insert:
		dst = append(dst, `"insert":`...)
	case Retain:
		dst = append(dst, `"retain":`...)
	case Delete:
		dst = append(dst, `"delete":`...)
	}
	switch {
	case o.embed != nil:
		dst = append(dst, o.embed.json...)
	case o.action == Insert:
		dst = appendString(dst, o.text)
	default:
		dst = strconv.AppendInt(dst, int64(o.n), 10)
	}
	return append(dst, '}')
}
