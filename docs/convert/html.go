package convert

import (
	"html"
	"slices"
	"strconv"
	"strings"

	"plenum.internal/docs/ot"
)

// HTML is the content as a fragment of HTML, of at most limit bytes (TooLarge). It has no scripts, no addresses but http, https and mailto, and
// needs no style sheet; classes are Quill's.
func HTML(content ot.Delta, limit int) (string, error) {
	w := htmlWriter{output: output{limit: limit}}
	for l := range lines(content) {
		if w.line(l); w.full() {
			break
		}
	}
	w.leave(block{})
	w.lists(0)
	return w.result()
}

type htmlWriter struct {
	output
	before block      // of the line before, if it is open: code, cell
	items  []openList // that are open, each with an open item
}

type openList struct{ tag, align string }

func (w *htmlWriter) line(l line) {
	w.leave(l.block)
	if l.kind != item {
		w.lists(0)
	}
	switch l.kind {
	case code:
		if w.before != l.block {
			w.put("<pre><code")
			if l.language != "" {
				w.put(` class="language-` + html.EscapeString(l.language) + `"`)
			}
			w.put(">")
		}
		w.put(html.EscapeString(l.raw()) + "\n")
	case cell:
		switch {
		case w.before.kind != cell:
			w.put("<table><tbody>\n<tr>")
		case w.before.row != l.row:
			w.put("</tr>\n<tr>")
		}
		w.element("td", l)
	case item:
		w.item(l)
	case header:
		w.element("h"+strconv.Itoa(l.level), l)
		w.put("\n")
	case quote:
		w.element("blockquote", l)
		w.put("\n")
	case plain:
		w.element("p", l)
		w.put("\n")
	}
	w.before = l.block
}

// leave ends the code block or the table that is open, where the next line isn't of it.
func (w *htmlWriter) leave(next block) {
	switch {
	case w.before.kind == code && next != w.before:
		w.put("</code></pre>\n")
	case w.before.kind == cell && next.kind != cell:
		w.put("</tr>\n</tbody></table>\n")
	default:
		return
	}
	w.before = block{}
}

// lists closes lists until so many are open.
func (w *htmlWriter) lists(n int) {
	for len(w.items) > n {
		w.put("</li></" + w.items[len(w.items)-1].tag + ">\n")
		w.items = w.items[:len(w.items)-1]
	}
}

func (w *htmlWriter) item(l line) {
	tag := "ul"
	if l.list == ordered {
		tag = "ol"
	}
	w.lists(l.indent + 1)
	again := false
	if n := len(w.items); n == l.indent+1 {
		if w.items[n-1].tag == tag {
			w.items, again = w.items[:n-1], true
			w.put("</li>\n")
		} else {
			w.lists(l.indent)
		}
	}
	for len(w.items) < l.indent { // a level that has no line
		w.put("<ul><li>")
		w.items = append(w.items, openList{tag: "ul"})
	}
	if !again {
		w.put("<" + tag + ">\n")
	}
	align := l.align
	if slices.ContainsFunc(w.items, func(o openList) bool { return o.align != "" }) && align == "" {
		align = "start" // not what it is in
	}
	w.items = append(w.items, openList{tag, l.align})
	w.put("<li")
	switch l.list {
	case checked:
		w.put(` data-list="checked"` + aligned(align) + `><input type="checkbox" disabled checked>`)
	case unchecked:
		w.put(` data-list="unchecked"` + aligned(align) + `><input type="checkbox" disabled>`)
	default:
		w.put(aligned(align) + ">")
	}
	w.spans(l)
}

func aligned(align string) string {
	if align == "" {
		return ""
	}
	return ` style="text-align: ` + align + `"`
}

func (w *htmlWriter) element(tag string, l line) {
	w.put("<" + tag)
	if l.indent > 0 {
		w.put(` class="ql-indent-` + strconv.Itoa(l.indent) + `"`)
	}
	w.put(aligned(l.align) + ">")
	w.spans(l)
	w.put("</" + tag + ">")
}

// spans writes what stands in a line. Where HTML would take blanks away it is told not to.
func (w *htmlWriter) spans(l line) {
	if len(l.spans) == 0 {
		w.put("<br>")
		return
	}
	if keep := l.blanks(); keep {
		w.put(`<span style="white-space: pre-wrap">`)
		defer w.put("</span>")
	}
	nest(l.spans, func(m mark) { w.put(openTag(m)) }, func(m mark) { w.put(shutTag(m)) }, func(s span) {
		if w.full() {
			return
		}
		switch t := s.thing; t.kind {
		case image:
			w.put(`<img src="` + html.EscapeString(t.value) + `"`)
			for _, a := range [][2]string{{"alt", t.alt}, {"width", t.width}, {"height", t.height}} {
				if a[1] != "" {
					w.put(" " + a[0] + `="` + html.EscapeString(a[1]) + `"`)
				}
			}
			w.put(">")
		case formula:
			w.put(`<span class="ql-formula" data-value="` + html.EscapeString(t.value) + `">` + html.EscapeString(t.value) + `</span>`)
		case video:
			w.put(`<a class="ql-video" href="` + html.EscapeString(t.value) + `">` + html.EscapeString(t.value) + `</a>`)
		case noThing:
			text := html.EscapeString(visible(s.text))
			if s.code {
				text = "<code>" + text + "</code>"
			}
			w.put(text)
		}
	})
}

// blanks says that the line has some that HTML would take away.
func (l line) blanks() bool {
	blank := true // what is before
	for _, s := range l.spans {
		if s.thing.kind != noThing {
			blank = false
			continue
		}
		if blank && s.text[0] == ' ' || strings.Contains(s.text, "  ") || strings.Contains(s.text, "\t") {
			return true
		}
		blank = s.text[len(s.text)-1] == ' '
	}
	return blank
}
