package ottest

import "plenum.internal/docs/ot"

// Note changes embeds of type "note", whose data is a document and whose changes are Deltas: {"note":{"ops":[…]}}.
type Note struct{}

// Embeds have the one handler.
func Embeds() ot.Embeds { return ot.Embeds{"note": Note{}} }

// Compose implements ot.EmbedHandler.
func (Note) Compose(a, b ot.Value, _ bool) (ot.Value, error) {
	return both(a, b, func(a, b ot.Delta) (ot.Delta, error) { return a.Compose(b, nil) })
}

// Invert implements ot.EmbedHandler.
func (Note) Invert(op, base ot.Value) (ot.Value, error) {
	return both(op, base, func(op, base ot.Delta) (ot.Delta, error) { return op.Invert(base, nil) })
}

// Transform implements ot.EmbedHandler.
func (Note) Transform(a, b ot.Value, priority bool) (ot.Value, error) {
	return both(a, b, func(a, b ot.Delta) (ot.Delta, error) { return a.Transform(b, priority, nil) })
}

func both(a, b ot.Value, f func(a, b ot.Delta) (ot.Delta, error)) (ot.Value, error) {
	x, err := parseNote(a)
	if err != nil {
		return ot.Value{}, err
	}
	y, err := parseNote(b)
	if err != nil {
		return ot.Value{}, err
	}
	d, err := f(x, y)
	if err != nil {
		return ot.Value{}, err
	}
	return note(d), nil
}

func note(d ot.Delta) ot.Value {
	return must(ot.ParseValue(d.AppendJSON(nil), 32))
}

func parseNote(v ot.Value) (ot.Delta, error) {
	return ot.Parse([]byte(v.JSON()), ot.DefaultLimits())
}
