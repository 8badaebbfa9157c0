package convert

import (
	"strconv"
	"strings"

	"plenum.internal/docs/ot"
)

// Markdown is the content as CommonMark with the tables, task lists and strikethrough of GitHub, of at most limit bytes (TooLarge).
func Markdown(content ot.Delta, limit int) (string, error) {
	w := markdownWriter{output: output{limit: limit}}
	for l := range lines(content) {
		if w.line(l); w.full() {
			break
		}
	}
	w.leave()
	if t := w.text.String(); t == "<br>\n" { // the empty document
		return "", nil
	}
	return w.result()
}

type markdownWriter struct {
	output
	begun  bool
	before block       // of the line before
	fenced []string    // lines of the code block that is open
	table  [][]rowCell // rows of the table that is open
	items  []itemLevel // of the list, the outermost first
	broken bool        // the item before was empty: what is deeper stands behind a blank line
}

// itemLevel is an item that lines may be nested in.
type itemLevel struct {
	ordered bool
	number  int
	width   int // of its marker: what is in it is indented by that
}

type rowCell struct{ text, align string }

func (w *markdownWriter) line(l line) {
	if w.before.kind == code && w.begun && (l.kind != code || l.language != w.before.language) {
		w.fence()
	}
	if w.before.kind == cell && w.begun && l.kind != cell {
		w.rows()
	}
	if l.kind != item {
		w.items = w.items[:0]
	}
	switch l.kind {
	case code:
		if len(w.fenced) == 0 {
			w.part("\n\n")
		}
		w.fenced = append(w.fenced, l.raw())
	case cell:
		if len(w.table) == 0 {
			w.part("\n\n")
		}
		w.cell(l)
	case item:
		w.item(l)
	case header:
		w.part("\n\n")
		w.put(strings.Repeat("#", l.level))
		if len(l.spans) > 0 {
			w.put(" " + inline(l))
		}
	case quote:
		if w.begun && w.before.kind == quote {
			w.part("\n>\n")
		} else {
			w.part("\n\n")
		}
		w.put("> " + orBreak(inline(l)))
	case plain:
		w.part("\n\n")
		w.put(orBreak(inline(l)))
	}
	w.before, w.begun = l.block, true
}

// part puts between parts what divides them.
func (w *markdownWriter) part(between string) {
	if w.begun {
		w.put(between)
	}
}

// leave ends what is open, and the last line.
func (w *markdownWriter) leave() {
	switch {
	case len(w.fenced) > 0:
		w.fence()
	case len(w.table) > 0:
		w.rows()
	}
	w.part("\n")
}

// orBreak has an empty line be seen.
func orBreak(text string) string {
	if text == "" {
		return "<br>"
	}
	return text
}

// raw is the text of a line without formats.
func (l line) raw() string {
	var b strings.Builder
	for _, s := range l.spans {
		switch s.thing.kind {
		case noThing:
			b.WriteString(visible(s.text))
		case image, formula, video:
			b.WriteString(s.thing.value)
		}
	}
	return b.String()
}

func (w *markdownWriter) fence() {
	ticks := 3
	for _, t := range w.fenced {
		t = strings.TrimLeft(t, " \t")
		if n := len(t) - len(strings.TrimLeft(t, "`")); n >= ticks {
			ticks = n + 1
		}
	}
	rule := strings.Repeat("`", ticks)
	w.put(rule + w.before.language + "\n")
	for _, t := range w.fenced {
		if w.put(t + "\n"); w.full() {
			return
		}
	}
	w.put(rule)
	w.fenced = nil
}

// item writes an item of a list, in the last items of the levels above it. A level that has none gets an item without a line of its own.
func (w *markdownWriter) item(l line) {
	numbered := l.list == ordered
	between := "\n"
	if w.before.kind != item || w.broken && l.indent > w.before.indent {
		between = "\n\n"
	}
	number := 1
	if l.indent < len(w.items) {
		if at := w.items[l.indent]; at.ordered == numbered {
			number = at.number + 1
		} else {
			between = "\n\n"
		}
		w.items = w.items[:l.indent]
	}
	w.part(between)
	in := 0
	for _, at := range w.items {
		in += at.width
	}
	w.put(strings.Repeat(" ", in))
	for len(w.items) < l.indent {
		w.put("- ")
		w.items = append(w.items, itemLevel{width: 2})
	}
	marker := "- "
	if numbered {
		marker = strconv.Itoa(number) + ". "
	}
	w.put(marker)
	switch l.list {
	case checked:
		w.put("[x] ")
	case unchecked:
		w.put("[ ] ")
	}
	text := inline(l)
	w.broken = text == ""
	w.put(orBreak(text))
	w.items = append(w.items, itemLevel{numbered, number, len(marker)})
}

func (w *markdownWriter) cell(l line) {
	if len(w.table) == 0 || l.row != w.before.row {
		w.table = append(w.table, nil)
	}
	n := len(w.table) - 1
	w.table[n] = append(w.table[n], rowCell{inline(l), l.align})
}

func (w *markdownWriter) rows() {
	columns := 0
	for _, r := range w.table {
		columns = max(columns, len(r))
	}
	for i, r := range w.table {
		if i > 0 {
			w.put("\n")
		}
		for c := range columns {
			w.put("| ")
			if c < len(r) && r[c].text != "" {
				w.put(r[c].text + " ")
			}
		}
		if w.put("|"); i == 0 {
			w.put("\n")
			for c := range columns {
				rule := "---"
				if c < len(r) {
					rule = map[string]string{"": "---", "justify": "---", "center": ":-:", "right": "--:"}[r[c].align]
				}
				w.put("| " + rule + " ")
			}
			w.put("|")
		}
		if w.full() {
			return
		}
	}
	w.table = nil
}
