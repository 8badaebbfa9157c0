package convert

import (
	"bytes"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	extension "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"
	nethtml "golang.org/x/net/html"
)

// rawTag is an inline tag of HTML in Markdown, that is open.
type rawTag struct {
	name   string
	before style
}

// inlineBlock reads what stands in a block, and ends its line.
func (r *markdownReader) inlineBlock(n ast.Node, in block, depth int) {
	r.tags, r.raw, r.in = r.tags[:0], style{}, in
	from := r.lines
	r.inlines(n, style{}, depth)
	if r.begun || r.lines == from || in.kind == cell {
		r.end(in)
	}
}

func (r *markdownReader) inlines(n ast.Node, as style, depth int) {
	if r.deep(depth) {
		return
	}
	for c := n.FirstChild(); c != nil && r.err == nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			r.run(c, as)
		case *ast.String:
			r.text(string(c.Value), r.looks(as))
		case *ast.CodeSpan:
			r.span(c, as)
		case *ast.Emphasis:
			in := as
			if c.Level == 2 {
				in.bold = true
			} else {
				in.italic = true
			}
			r.inlines(c, in, depth+1)
		case *extension.Strikethrough:
			in := as
			in.strike = true
			r.inlines(c, in, depth+1)
		case *ast.Link:
			in := as
			in.link = addressOf(unescaped(string(c.Destination)))
			r.inlines(c, in, depth+1)
		case *ast.Image:
			r.image(c, as)
		case *ast.AutoLink:
			label, at := string(c.Label(r.source)), string(c.URL(r.source))
			if c.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(at), "mailto:") {
				at = "mailto:" + at
			}
			in := as
			in.link = addressOf(at)
			r.text(label, r.looks(in))
		case *ast.RawHTML:
			r.html(string(c.Segments.Value(r.source)))
		case *extension.TaskCheckBox:
		default:
			r.inlines(c, as, depth+1)
		}
	}
}

// looks is a style with what the tags around add.
func (r *markdownReader) looks(as style) style {
	t := r.raw
	as.bold, as.italic, as.underline = as.bold || t.bold, as.italic || t.italic, as.underline || t.underline
	as.strike, as.code = as.strike || t.strike, as.code || t.code
	for _, p := range []struct {
		to   *string
		from string
	}{{&as.script, t.script}, {&as.color, t.color}, {&as.background, t.background}, {&as.link, t.link}} {
		if *p.to == "" {
			*p.to = p.from
		}
	}
	return as
}

// run reads text up to the end of its line, without the dollars of formulas beside it.
func (r *markdownReader) run(t *ast.Text, as style) {
	raw := t.Segment.Value(r.source)
	if r.dollar == t {
		raw = raw[1:]
	}
	if c, ok := t.NextSibling().(*ast.CodeSpan); ok && !t.SoftLineBreak() && !t.HardLineBreak() && r.formula(raw, c) {
		raw = raw[:len(raw)-1]
	}
	r.text(unescaped(string(raw)), r.looks(as))
	switch {
	case t.HardLineBreak():
		r.newline()
	case t.SoftLineBreak():
		r.text(" ", r.looks(as))
	}
}

// formula says that code behind a text is between dollars, and remembers it until the text behind is read. A dollar is one formula's alone.
func (r *markdownReader) formula(before []byte, c *ast.CodeSpan) bool {
	after, ok := c.NextSibling().(*ast.Text)
	if !ok || !bytes.HasSuffix(before, []byte("$")) || !bytes.HasPrefix(after.Segment.Value(r.source), []byte("$")) {
		return false
	}
	escapes := len(before) - 1 - len(bytes.TrimRight(before[:len(before)-1], `\`))
	value := r.spanned(c)
	if escapes%2 > 0 || strings.TrimSpace(value) == "" || oneLine(value) != value {
		return false
	}
	r.math, r.dollar = c, after
	return true
}

func (r *markdownReader) newline() {
	if r.in.kind == cell {
		r.text(" ", style{})
		return
	}
	r.end(r.in)
}

// spanned is what stands in code.
func (r *markdownReader) spanned(c *ast.CodeSpan) string {
	var b strings.Builder
	for t := c.FirstChild(); t != nil; t = t.NextSibling() {
		if t, ok := t.(*ast.Text); ok {
			b.Write(t.Segment.Value(r.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

func (r *markdownReader) span(c *ast.CodeSpan, as style) {
	as = r.looks(as)
	if r.math == c {
		r.thing(thing{kind: formula, value: r.spanned(c)}, as)
		return
	}
	as.code = true
	r.text(r.spanned(c), as)
}

func (r *markdownReader) image(c *ast.Image, as style) {
	var b strings.Builder
	r.plain(c, &b, 0)
	alt := oneLine(b.String())
	if at := pictureOf(unescaped(string(c.Destination))); at != "" {
		r.thing(thing{kind: image, value: at, alt: alt}, r.looks(as))
		return
	}
	r.text("["+strings.TrimSpace("image "+alt)+"]", r.looks(as))
}

// plain is the text in a node.
func (r *markdownReader) plain(n ast.Node, b *strings.Builder, depth int) {
	if r.deep(depth) {
		return
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.WriteString(unescaped(string(c.Segment.Value(r.source))))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		default:
			r.plain(c, b, depth+1)
		}
	}
}

// html reads one tag among text.
func (r *markdownReader) html(source string) {
	z := nethtml.NewTokenizer(strings.NewReader(source))
	switch z.Next() {
	case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
		tag, a := readTag(z)
		switch {
		case tag == "br":
			r.newline()
		case tagKinds[tag] == inlineTag:
			if len(r.tags) >= r.limits.Depth {
				r.fail(errorf(TooDeep, "tags nest more than %d deep", r.limits.Depth))
				return
			}
			r.tags = append(r.tags, rawTag{tag, r.raw})
			r.raw = a.marked(tag, r.raw)
		}
	case nethtml.EndTagToken:
		name, _ := z.TagName()
		for i := len(r.tags) - 1; i >= 0; i-- {
			if r.tags[i].name == string(name) {
				r.raw, r.tags = r.tags[i].before, r.tags[:i]
				return
			}
		}
	case nethtml.ErrorToken, nethtml.TextToken, nethtml.CommentToken, nethtml.DoctypeToken:
	}
}

// unescaped is text as it is meant: without backslashes before punctuation, with what entities stand for.
func unescaped(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]):
			i++
			b.WriteByte(s[i])
		case s[i] == '&':
			if n := entity(s[i:]); n > 0 {
				b.WriteString(html.UnescapeString(s[i : i+n]))
				i += n - 1
				continue
			}
			b.WriteByte('&')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// entity is how long the entity is that a text begins with; 0: there is none.
func entity(s string) int {
	const longest = 34
	n := strings.IndexByte(s[:min(len(s), longest)], ';')
	if n < 2 {
		return 0
	}
	name := strings.ToLower(s[1:n])
	switch {
	case strings.HasPrefix(name, "#x"):
		if len(name) < 3 || len(name) > 8 || !only(name[2:], "0123456789abcdef") {
			return 0
		}
	case name[0] == '#':
		if len(name) < 2 || len(name) > 8 || !only(name[1:], "0123456789") {
			return 0
		}
	case !only(name, "abcdefghijklmnopqrstuvwxyz0123456789"):
		return 0
	}
	return n + 1
}
