package convert

import (
	"strings"

	"plenum.internal/docs/ot"
)

// output is what is written, up to a limit of bytes.
type output struct {
	text  strings.Builder
	limit int
}

func (o *output) put(s string) { o.text.WriteString(s) }

// full says that more was written than the limit.
func (o *output) full() bool { return o.text.Len() > o.limit }

func (o *output) result() (string, error) {
	if o.full() {
		return "", errorf(TooLarge, "it would have more than %d bytes", o.limit)
	}
	return o.text.String(), nil
}

// Text is the content as plain text, of at most limit bytes (TooLarge).
func Text(content ot.Delta, limit int) (string, error) {
	o := output{limit: limit}
	for l := range lines(content) {
		for _, s := range l.spans {
			switch s.thing.kind {
			case noThing:
				o.put(s.text)
			case formula:
				o.put(s.thing.value)
			case image:
				o.put("[image: " + strings.TrimSpace(s.thing.alt+" "+s.thing.value) + "]")
			case video:
				o.put("[video: " + s.thing.value + "]")
			}
			if o.full() {
				break
			}
		}
		if o.put("\n"); o.full() {
			break
		}
	}
	return o.result()
}

// FromText makes content of plain text: a line for each, and one at least.
func FromText(data []byte, limits Limits) (ot.Delta, error) {
	if err := limits.check(data); err != nil {
		return ot.Delta{}, err
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	var b ot.Builder
	d, err := b.Insert(text, nil).Delta()
	if err != nil {
		return ot.Delta{}, errorf(BadText, "%v", err)
	}
	return accepted(d)
}
