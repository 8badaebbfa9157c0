package ot

// Embed is a thing in a text that isn't text, of length 1: a JSON object whose key is its type, like {"image":"…"}. It is immutable.
type Embed struct {
	kind string // Invariant: its only key; "" if it has several, then it can't be changed
	data Value
	json string // canonical, of the whole object
}

// NewEmbed makes an embed of a type, which is not empty and not __proto__, and its data.
func NewEmbed(kind string, data Value) (*Embed, error) {
	if kind == "" || kind == "__proto__" || !validText(kind) {
		return nil, errorf(Malformed, NoOp, "%q can't be the type of an embed", kind)
	}
	return embedOf([]member{{kind, data}}), nil
}

// embedOf makes an embed of members that are sorted, one at least.
func embedOf(members []member) *Embed {
	e := &Embed{json: string(appendObject(nil, members))}
	if len(members) == 1 {
		e.kind, e.data = members[0].key, members[0].value
	}
	return e
}

// Type is the embed's key. An inserted embed with several keys, which the original allows, has none and can't be retained by an object.
func (e *Embed) Type() string { return e.kind }

// Data is the value of the key.
func (e *Embed) Data() Value { return e.data }

// JSON is the canonical text of the whole object.
func (e *Embed) JSON() string { return e.json }

// Equal compares, data included.
func (e *Embed) Equal(other *Embed) bool {
	return e == other || e != nil && other != nil && e.json == other.json
}

// EmbedHandler changes the embeds of one type: what an object retain holds is its operation. It has to be pure. An error refuses the change.
type EmbedHandler interface {
	// Compose is a, then b. Over a retain (keepNull) a is an operation and what it removes has to stay removable; else a is the embed's data.
	Compose(a, b Value, keepNull bool) (Value, error)
	// Invert is what takes op back where it was applied to base, the embed's data.
	Invert(op, base Value) (Value, error)
	// Transform is b as it is to be applied after a; with priority a was first.
	Transform(a, b Value, priority bool) (Value, error)
}

// Embeds are the handlers by the type of embed. Types without one can be inserted and deleted only. Nil has none.
type Embeds map[string]EmbedHandler

// over is what an object retain makes of what is there: of an embed, or of an earlier retain of one.
func (h Embeds) over(there, change *Embed, retained bool, op int) (*Embed, error) {
	handler, err := h.handler(there, change, op)
	if err != nil {
		return nil, err
	}
	data, err := handler.Compose(there.data, change.data, retained)
	return changed(change.kind, data, err, op)
}

// inverse is the object retain that takes change back.
func (h Embeds) inverse(change, base *Embed, op int) (*Embed, error) {
	handler, err := h.handler(base, change, op)
	if err != nil {
		return nil, err
	}
	data, err := handler.Invert(change.data, base.data)
	return changed(change.kind, data, err, op)
}

// transform is change as it is to be applied after first. Changes of different types don't meet.
func (h Embeds) transform(first, change *Embed, priority bool, op int) (*Embed, error) {
	if first.kind != change.kind {
		return change, nil
	}
	handler, err := h.handler(first, change, op)
	if err != nil {
		return nil, err
	}
	data, err := handler.Transform(first.data, change.data, priority)
	return changed(change.kind, data, err, op)
}

func (h Embeds) handler(there, change *Embed, op int) (EmbedHandler, error) {
	if there == nil {
		return nil, errorf(EmbedMismatch, op, "it changes an embed of type %q where there is text", change.kind)
	}
	if there.kind != change.kind {
		return nil, errorf(EmbedMismatch, op, "it changes an embed of type %q where there is one of type %q", change.kind, there.kind)
	}
	handler, ok := h[change.kind]
	if !ok {
		return nil, errorf(NoHandler, op, "embeds of type %q can't be changed", change.kind)
	}
	return handler, nil
}

func changed(kind string, data Value, err error, op int) (*Embed, error) {
	if err != nil {
		return nil, &Error{Kind: HandlerFailed, Op: op, Text: "its change of the embed is refused", cause: err}
	}
	return embedOf([]member{{kind, data}}), nil
}
