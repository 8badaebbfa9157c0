package convert

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"
	extension "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"plenum.internal/docs/ot"
)

// FromMarkdown makes content of CommonMark with GitHub's tables, task lists and strikethrough. HTML in it is read as FromHTML does.
func FromMarkdown(data []byte, limits Limits) (ot.Delta, error) {
	if err := limits.check(data); err != nil {
		return ot.Delta{}, err
	}
	if markers(data) > limits.Depth {
		return ot.Delta{}, errorf(TooDeep, "lists and quotes nest more than %d deep", limits.Depth)
	}
	m := new(meter)
	tree := newParser(m).Parse(text.NewReader(data), parser.WithContext(parser.NewContext()))
	if m.err != nil {
		return ot.Delta{}, m.err
	}
	r := markdownReader{page: newPage(limits), source: data}
	r.blocks(tree, block{}, 0)
	return r.content()
}

// markers is the greatest number of list and quote markers that a line begins with, or more. The parser takes time with its square.
func markers(source []byte) (most int) {
	for line := range bytes.Lines(source) {
		n, digits, kinds := 0, 0, 0
		var last byte
		for i, c := range line {
			blank := i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t' || line[i+1] == '\n' || line[i+1] == '\r'
			switch {
			case c == ' ' || c == '\t':
				continue
			case c == '>', (c == '-' || c == '*' || c == '+') && blank, (c == '.' || c == ')') && digits > 0 && blank:
				n++
				digits = 0
				if c != last {
					kinds++
				}
				last = c
				continue
			case '0' <= c && c <= '9' && digits < 9:
				digits++
				continue
			case c == '\n' && kinds == 1 && (last == '-' || last == '*'): // a rule
				n = 0
			}
			break
		}
		most = max(most, n)
	}
	return most
}

// markdownReader reads a tree onto a page.
type markdownReader struct {
	*page
	source []byte
	tags   []rawTag      // of HTML in the line, that are open
	raw    style         // what they make of text
	in     block         // the block that is read
	math   *ast.CodeSpan // that is a formula
	dollar *ast.Text     // whose first character ends it
}

func (r *markdownReader) deep(depth int) bool {
	if depth > r.limits.Depth {
		r.fail(errorf(TooDeep, "it nests more than %d deep", r.limits.Depth))
	}
	return r.err != nil
}

// blocks reads the blocks in a node; in is what a line there is.
func (r *markdownReader) blocks(n ast.Node, in block, depth int) {
	if r.deep(depth) {
		return
	}
	for c := n.FirstChild(); c != nil && r.err == nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Heading:
			r.inlineBlock(c, block{kind: header, level: c.Level}, depth)
		case *ast.Paragraph, *ast.TextBlock:
			if c.HasChildren() { // a paragraph of link definitions has none
				r.inlineBlock(c, in, depth)
			}
		case *ast.Blockquote:
			r.blocks(c, block{kind: quote}, depth+1)
		case *ast.List:
			for i := c.FirstChild(); i != nil && r.err == nil; i = i.NextSibling() {
				r.openItem(itemKind(c, i))
				r.blocks(i, block{}, depth+1)
				r.closeItem(block{})
			}
		case *ast.FencedCodeBlock:
			b := block{kind: code}
			if c.Info != nil {
				b.language = languageOf(string(c.Language(r.source)))
			}
			r.code(c, b)
		case *ast.CodeBlock:
			r.code(c, block{kind: code})
		case *ast.ThematicBreak:
			r.text("---", style{})
			r.end(in)
		case *ast.HTMLBlock:
			h := htmlReader{page: r.page, at: htmlState{block: in}}
			raw := c.Lines().Value(r.source)
			if c.HasClosure() {
				raw = append(raw, c.ClosureLine.Value(r.source)...)
			}
			h.read(raw)
		case *extension.Table:
			r.table(c, depth)
		default:
			r.blocks(c, in, depth+1)
		}
	}
}

// itemKind is what an item of a list is.
func itemKind(l *ast.List, i ast.Node) string {
	if first := i.FirstChild(); first != nil {
		if box, ok := first.FirstChild().(*extension.TaskCheckBox); ok {
			if box.IsChecked {
				return checked
			}
			return unchecked
		}
	}
	if l.IsOrdered() {
		return ordered
	}
	return bullet
}

func (r *markdownReader) code(n ast.Node, b block) {
	for i := range n.Lines().Len() {
		at := n.Lines().At(i)
		r.text(strings.TrimRight(string(at.Value(r.source)), "\r\n"), style{})
		r.end(b)
	}
	if n.Lines().Len() == 0 {
		r.end(b)
	}
}

func (r *markdownReader) table(t *extension.Table, depth int) {
	for row := t.FirstChild(); row != nil && r.err == nil; row = row.NextSibling() {
		id := r.row()
		for c := row.FirstChild(); c != nil && r.err == nil; c = c.NextSibling() {
			b := block{kind: cell, row: id}
			if c, ok := c.(*extension.TableCell); ok {
				switch c.Alignment {
				case extension.AlignCenter:
					b.align = "center"
				case extension.AlignRight:
					b.align = "right"
				case extension.AlignLeft, extension.AlignNone:
				}
			}
			r.inlineBlock(c, b, depth)
		}
	}
}
