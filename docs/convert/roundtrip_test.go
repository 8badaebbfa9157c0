package convert

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
)

// shape says which documents are drawn: those that a format can hold.
type shape struct {
	markdown bool // no align but of a table's columns, no indent outside of lists, no sizes, no videos
	text     bool // plain lines alone
}

var words = []string{
	"a", "word", "x", "X", "1", "1.", "10)", "-", "+", "*", "**", "_", "a_b", "~~", "#", "##", ">", "`", "``", "[", "]", "(", ")", "[x]", "[ ]", "!", "|", "\\", "&", "&amp;", "&#32;", "<", "<b>", "</p>",
	"<script>", "$", "$$", "=", "---", ":-:", "http://a.example", "😀", "é", "日本", "«", "\u00a0", "\u2028", "\t", " ", "  ", "\"", "'", ";", ":", "{", "e\u0301", "\u200b", "\ufeff", "onclick=", "javascript:",
}

var (
	addresses = []string{"http://a.example", "https://b.example/p_a(t)h?q=1&amp;r=2#x", "mailto:ada@example.com", "https://c.example/*a*|`b`\\[x]<y>\"'~$!"}
	pictures  = []string{"http://a.example/i.png", "https://b.example/i(1)_2_.png?a&b"}
	colors    = []string{"red", "#f00", "#ff000080", "rgb(1, 2, 3)"}
	languages = []string{"", "go", "c++", "plain"}
)

func pick(t *rapid.T, from []string) string { return rapid.SampledFrom(from).Draw(t, "one") }

func often(t *rapid.T, of int) bool { return rapid.IntRange(0, of-1).Draw(t, "one of") == of-1 }

func drawText(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(1, 4).Draw(t, "words") {
		b.WriteString(pick(t, words))
	}
	return b.String()
}

func drawStyle(t *rapid.T) (s style) {
	for _, on := range []*bool{&s.bold, &s.italic, &s.underline, &s.strike, &s.code} {
		*on = often(t, 4)
	}
	if often(t, 5) {
		s.link = pick(t, addresses)
	}
	if often(t, 8) {
		s.script = pick(t, []string{"sub", "super"})
	}
	if often(t, 8) {
		s.color = pick(t, colors)
	}
	if often(t, 8) {
		s.background = pick(t, colors)
	}
	return s
}

func (s shape) drawSpans(t *rapid.T, p *page) {
	for range rapid.IntRange(0, 4).Draw(t, "spans") {
		as := style{}
		if !s.text {
			as = drawStyle(t)
		}
		if s.text || !often(t, 6) {
			p.text(drawText(t), as)
			continue
		}
		th := thing{kind: image, value: pick(t, pictures)}
		switch rapid.IntRange(0, 2).Draw(t, "thing") {
		case 0:
			if often(t, 2) {
				th.alt = strings.TrimSpace(oneLine(drawText(t)))
			}
			if !s.markdown && often(t, 2) {
				th.width, th.height = "10", "20"
			}
		case 1:
			th = thing{kind: formula, value: pick(t, []string{"e=mc^2", "a`b", "\\frac{1}{2}", " x ", "$"})}
		case 2:
			if !s.markdown {
				th, as.link = thing{kind: video, value: pick(t, pictures)}, ""
			}
		}
		p.thing(th, as)
	}
}

// draw draws a document of what a format can hold.
func (s shape) draw(t *rapid.T) ot.Delta {
	p := newPage(DefaultLimits())
	for range rapid.IntRange(1, 8).Draw(t, "lines") {
		b := block{}
		if !s.text {
			b.kind = kind(rapid.IntRange(0, int(cell)).Draw(t, "kind"))
		}
		switch b.kind {
		case plain, quote:
		case header:
			b.level = rapid.IntRange(1, 6).Draw(t, "level")
		case item:
			b.list = pick(t, []string{ordered, bullet, checked, unchecked})
			b.indent = rapid.IntRange(0, maxIndent).Draw(t, "indent")
		case code:
			b.language = pick(t, languages)
			if often(t, 3) {
				p.text(drawText(t), style{})
			}
			p.end(b)
			continue
		case cell:
			s.drawTable(t, p)
			continue
		}
		if !s.markdown && !s.text {
			if often(t, 4) {
				b.align = pick(t, []string{"center", "right", "justify"})
			}
			if b.kind != item && often(t, 4) {
				b.indent = rapid.IntRange(1, maxIndent).Draw(t, "indent")
			}
		}
		s.drawSpans(t, p)
		p.end(b)
	}
	d, err := p.content()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// drawTable draws a table whose rows are equally long; two that touch are one.
func (s shape) drawTable(t *rapid.T, p *page) {
	if p.lines > 0 && p.rows > 0 {
		p.end(block{})
	}
	columns := rapid.IntRange(1, 3).Draw(t, "columns")
	aligns := make([]string, columns)
	for i := range aligns {
		if often(t, 3) {
			aligns[i] = pick(t, []string{"center", "right"})
		}
	}
	for range rapid.IntRange(1, 3).Draw(t, "rows") {
		row := p.row()
		for _, a := range aligns {
			s.drawSpans(t, p)
			p.end(block{kind: cell, row: row, align: a})
		}
	}
}

func roundTrip(t *testing.T, s shape, write func(ot.Delta, int) (string, error), read func([]byte, Limits) (ot.Delta, error)) {
	rapid.Check(t, func(t *rapid.T) {
		d := s.draw(t)
		text, err := write(d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		back, err := read([]byte(text), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if !back.Equal(d) {
			t.Fatalf("%s\nbecame\n%s\nand that\n%s", d.JSON(), text, back.JSON())
		}
	})
}

func TestMarkdownComesBack(t *testing.T) { roundTrip(t, shape{markdown: true}, Markdown, FromMarkdown) }

func TestHTMLComesBack(t *testing.T) { roundTrip(t, shape{}, HTML, FromHTML) }

func TestTextComesBack(t *testing.T) { roundTrip(t, shape{text: true}, Text, FromText) }
