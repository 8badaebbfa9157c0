package convert

import (
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/util"
)

// inline writes what stands in a line as Markdown.
func inline(l line) string {
	w := inlineWriter{of: l}
	nest(l.spans, w.open, w.shut, func(s span) { w.show(s) })
	w.choose()
	n := 0
	for _, p := range w.pieces {
		n += len(p.text)
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range w.pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// inlineWriter has the pieces of a line. Whether a mark is written as Markdown's own or as a tag is chosen when all are there: it depends on the
// characters around it.
type inlineWriter struct {
	of     line
	shown  int // spans
	pieces []piece
	opened []int // pieces that open the marks that are open
}

type piece struct {
	text  string
	mark  markName
	opens bool
	pair  int // of what shuts a mark: the piece that opens it; -1: none
}

func (w *inlineWriter) add(text string) { w.pieces = append(w.pieces, piece{text: text, pair: -1}) }

func (w *inlineWriter) open(m mark) {
	w.opened = append(w.opened, len(w.pieces))
	text := openTag(m)
	if m.name == markLink {
		text = "["
	}
	w.pieces = append(w.pieces, piece{text: text, mark: m.name, opens: true, pair: -1})
}

func (w *inlineWriter) shut(m mark) {
	n := len(w.opened) - 1
	text := shutTag(m)
	if m.name == markLink {
		text = "](" + destination(m.value) + ")"
	}
	w.pieces = append(w.pieces, piece{text: text, mark: m.name, pair: w.opened[n]})
	w.opened = w.opened[:n]
}

// delimiters are what Markdown has of its own.
var delimiters = map[markName]string{markBold: "**", markItalic: "_", markStrike: "~~"}

// choose takes Markdown's own delimiters where they would be read as such. Every mark begins and ends with punctuation, whatever is chosen,
// so that no choice changes another.
func (w *inlineWriter) choose() {
	for i, p := range w.pieces {
		own := delimiters[p.mark]
		if p.pair < 0 || own == "" {
			continue
		}
		if first := w.flanked(p.pair, own); first.opens {
			if last := w.flanked(i, own); last.shuts {
				w.pieces[i].text, w.pieces[p.pair].text = own, own
			}
		}
	}
}

type flanks struct{ opens, shuts bool }

// flanked says what a delimiter in the place of a piece can do (CommonMark, 6.2). Beside its own character it does nothing, to be sure.
func (w *inlineWriter) flanked(i int, own string) flanks {
	before, after := ' ', ' '
	if i > 0 {
		before, _ = utf8.DecodeLastRuneInString(w.pieces[i-1].text)
	}
	if i+1 < len(w.pieces) {
		after, _ = utf8.DecodeRuneInString(w.pieces[i+1].text)
	}
	if before == rune(own[0]) || after == rune(own[0]) {
		return flanks{}
	}
	left := !util.IsSpaceRune(after) && (!util.IsPunctRune(after) || util.IsSpaceRune(before) || util.IsPunctRune(before))
	right := !util.IsSpaceRune(before) && (!util.IsPunctRune(before) || util.IsSpaceRune(after) || util.IsPunctRune(after))
	if own == "_" {
		return flanks{left && (!right || util.IsPunctRune(before)), right && (!left || util.IsPunctRune(after))}
	}
	return flanks{left, right}
}

func (w *inlineWriter) show(s span) {
	w.shown++
	switch t := s.thing; t.kind {
	case image:
		w.add("![" + escaped(t.alt, false) + "](" + destination(t.value) + ")")
	case video:
		w.add("[video](" + destination(t.value) + ")")
	case formula:
		if text, ok := codeSpan(t.value, w.of.kind == cell); ok {
			w.add("$" + text + "$")
		} else {
			w.add(escaped("[formula: "+t.value+"]", false))
		}
	case noThing:
		text := visible(s.text)
		if s.code {
			if span, ok := codeSpan(text, w.of.kind == cell); ok {
				w.add(span)
			} else {
				w.add("<code>" + escaped(text, true) + "</code>")
			}
			return
		}
		w.text(text, s)
	}
}

func (w *inlineWriter) text(text string, s span) {
	first, last := len(w.pieces) == 0, w.shown == len(w.of.spans) && s.style == style{}
	if len(w.pieces) == 1 && w.of.kind == item && s.link != "" && (text == " " || text == "x" || text == "X") { // a link that looks like a check box
		w.add("&#" + map[string]string{" ": "32", "x": "120", "X": "88"}[text] + ";")
		return
	}
	head, tail := "", ""
	if first {
		head, text = lineStart(text)
	}
	if c, ok := blankEntity(text, len(text)-1); last && ok {
		text, tail = text[:len(text)-1], c
	}
	w.add(head + escaped(text, w.of.kind == header) + tail)
}

// lineStart writes what a line begins with so that it begins no block.
func lineStart(text string) (head, rest string) {
	if c, ok := blankEntity(text, 0); ok {
		return c, text[1:]
	}
	if text == "" {
		return "", ""
	}
	if strings.IndexByte("#>+-=:|", text[0]) >= 0 {
		return "\\" + text[:1], text[1:]
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if digits > 0 && digits < len(text) && (text[digits] == '.' || text[digits] == ')') {
		return text[:digits] + "\\" + text[digits:digits+1], text[digits+1:]
	}
	return "", text
}

// blankEntity writes a blank that would be cut off.
func blankEntity(text string, i int) (string, bool) {
	if i < 0 || i >= len(text) || text[i] != ' ' {
		return "", false // a tab is written so anywhere
	}
	return "&#32;", true
}

// escaped writes text so that nothing in it is a mark. Hashes matter at the end of a heading; within tags all counts.
func escaped(text string, hashes bool) string {
	const special = "\\`*_~[]<&!$|#\t"
	if !strings.ContainsAny(text, special) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	for i := range len(text) {
		c := text[i]
		quoted := false
		switch c {
		case '\t':
			b.WriteString("&#9;")
			continue
		case '|': // tables are taken apart before anything else is read
			b.WriteString("&#124;")
			continue
		case '\\', '`', '*', '~', '[', ']', '$':
			quoted = true
		case '_':
			quoted = i == 0 || i+1 == len(text) || !word(text[i-1]) || !word(text[i+1])
		case '<', '&':
			quoted = i+1 == len(text) || text[i+1] != ' '
		case '!':
			quoted = i+1 == len(text)
		case '#':
			quoted = hashes
		}
		if quoted {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func word(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// codeSpan writes text between backticks, if that can hold it.
func codeSpan(text string, inTable bool) (string, bool) {
	if text == "" || inTable && strings.Contains(text, "|") {
		return "", false
	}
	longest, run := 0, 0
	for i := range len(text) {
		if run++; text[i] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	trimmed := text[0] == ' ' && text[len(text)-1] == ' ' && strings.Trim(text, " ") != ""
	if trimmed || text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	return fence + text + fence, true
}

// destination writes an address where a link wants it.
func destination(address string) string { return inDestination.Replace(address) }

var inDestination = strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`, "<", `\<`, ">", `\>`, "&", "&amp;", "|", "&#124;")
