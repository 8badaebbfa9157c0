package convert

import (
	"encoding/json"
	"iter"
	"strings"

	"plenum.internal/docs/ot"
)

// line is a line of a document.
type line struct {
	block
	spans []span // Invariant: no two texts of one style touch
	grown []byte // while it is made: the text of the last span, if there is any
}

// span is text of one style, or a thing.
type span struct {
	style
	text  string // Invariant: no newline; empty if there is a thing
	thing thing
}

// thing is an embed that is known.
type thing struct {
	kind          thingKind
	value         string // Invariant: an address of an image or a video is safe; a formula is one line that isn't blank
	alt           string // of an image, one line
	width, height string // of an image, pixels or nothing
}

type thingKind uint8

const (
	noThing thingKind = iota
	image
	formula
	video
)

// lines goes through a document. What stands behind the last newline is a line, too.
func lines(content ot.Delta) iter.Seq[line] {
	return func(yield func(line) bool) {
		var at line
		var seen *ot.Attributes
		var as style
		for _, op := range content.Ops() {
			if op.Action() != ot.Insert {
				continue
			}
			if op.Attributes() != seen {
				seen, as = op.Attributes(), styleOf(op.Attributes())
			}
			if e := op.Embed(); e != nil {
				at.add(embedded(e, op.Attributes(), as))
				continue
			}
			var of block
			known := false
			for text := op.Text(); text != ""; {
				before, after, ends := strings.Cut(text, "\n")
				at.add(span{style: as, text: before})
				if text = after; !ends {
					break
				}
				if !known {
					of, known = blockOf(op.Attributes()), true
				}
				at.settle()
				at.block = of
				if !yield(at) {
					return
				}
				at = line{spans: at.spans[:0], grown: at.grown}
			}
		}
		if at.settle(); len(at.spans) > 0 {
			yield(at)
		}
	}
}

func (l *line) add(s span) {
	if s.thing.kind == noThing {
		if s.text == "" {
			return
		}
		if n := len(l.spans); n > 0 && l.spans[n-1].thing.kind == noThing && l.spans[n-1].style == s.style {
			if len(l.grown) == 0 {
				l.grown = append(l.grown, l.spans[n-1].text...)
			}
			l.grown = append(l.grown, s.text...)
			return
		}
	}
	l.settle()
	l.spans = append(l.spans, s)
}

// settle gives the last span the text that it has grown to.
func (l *line) settle() {
	if len(l.grown) > 0 {
		l.spans[len(l.spans)-1].text = string(l.grown)
		l.grown = l.grown[:0]
	}
}

// embedded is a thing, or text that says what stood there.
func embedded(e *ot.Embed, a *ot.Attributes, as style) span {
	value := str(e.Data())
	as.code = false
	s := span{style: as}
	switch e.Type() {
	case "image":
		if at := pictureOf(value); at != "" {
			s.thing = thing{kind: image, value: at, alt: oneLine(attribute(a, "alt")), width: pixels(a, "width"), height: pixels(a, "height")}
			return s
		}
	case "video":
		if at := pictureOf(value); at != "" {
			s.thing, s.link = thing{kind: video, value: at}, "" // it is one itself, where it can't be shown
			return s
		}
	case "formula":
		if strings.TrimSpace(value) != "" && oneLine(value) == value {
			s.thing = thing{kind: formula, value: value}
			return s
		}
	}
	s.text = placeholder(e)
	return s
}

// placeholder says what stands there: what a mention shows, or the type and what it holds, if that is short.
func placeholder(e *ot.Embed) string {
	const most = 200
	var shown struct{ Value, DenotationChar string }
	if json.Unmarshal([]byte(e.Data().JSON()), &shown) == nil && shown.Value != "" && len(shown.Value) <= most {
		return oneLine(shown.DenotationChar + shown.Value)
	}
	name := e.Type()
	if name == "" || len(name) > most {
		name = "embed"
	}
	if t := str(e.Data()); t != "" && len(t) <= most && !strings.HasPrefix(t, "data:") {
		name += ": " + t
	}
	return oneLine("[" + name + "]")
}

func attribute(a *ot.Attributes, name string) string {
	v, _ := a.Get(name)
	return str(v)
}

// pixels reads a width or a height, written as a string or a number.
func pixels(a *ot.Attributes, name string) string {
	v, _ := a.Get(name)
	return pixelsOf(strings.Trim(v.JSON(), `"`))
}

func pixelsOf(s string) string {
	if len(s) > 5 || !only(s, "0123456789") {
		return ""
	}
	return s
}

// oneLine has blanks where control characters were.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// visible has U+FFFD where control characters were that Markdown and HTML can't hold. Tabs stay.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
}
