package convert

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"plenum.internal/docs/ot"
)

// FromHTML makes content of HTML, a page or a fragment. It reads tags one by one, as they come, and makes no tree: what a browser would do to repair
// one is what costs time.
func FromHTML(data []byte, limits Limits) (ot.Delta, error) {
	if err := limits.check(data); err != nil {
		return ot.Delta{}, err
	}
	p := newPage(limits)
	r := htmlReader{page: p}
	r.read(data)
	return p.content()
}

// htmlReader reads HTML onto a page.
type htmlReader struct {
	*page
	at     htmlState
	frames []htmlFrame // elements that are open
	blank  bool        // one is due before the next text
	gap    style       // its style
}

// htmlState is what an element changes for what is in it.
type htmlState struct {
	style style
	block block
	pre   bool // blanks count
	skip  bool // nothing counts
	cell  bool // within a cell of a table, which is one line
}

type htmlFrame struct {
	tag    string
	kind   tagKind
	lines  int  // that the page had
	level  bool // a list that is an item, too, without a line
	before htmlState
}

// tagKind is what a tag does.
type tagKind uint8

const (
	inlineTag tagKind = iota
	blockTag
	listTag
	itemTag
	tableTag
	rowTag
	cellTag
	preTag
	voidTag // has no end
	lostTag // vanishes with what is in it
)

var tagKinds = kindsOf(map[tagKind]string{
	listTag: "ul ol menu dir", itemTag: "li", preTag: "pre", tableTag: "table", rowTag: "tr", cellTag: "td th",
	blockTag: `html body p div section article main header footer nav aside address figure figcaption h1 h2 h3 h4 h5 h6 blockquote
		dl dt dd details summary form fieldset legend center caption thead tbody tfoot optgroup option hgroup search`,
	voidTag: "br hr img input wbr area base col embed link meta source track param",
	lostTag: "script style head title template noscript noembed noframes object applet svg math textarea select iframe video audio canvas xmp plaintext",
})

func kindsOf(lists map[tagKind]string) map[string]tagKind {
	kinds := map[string]tagKind{}
	for kind, tags := range lists {
		for t := range strings.FieldsSeq(tags) {
			kinds[t] = kind
		}
	}
	return kinds
}

func (r *htmlReader) read(data []byte) {
	z := html.NewTokenizer(bytes.NewReader(data))
	for r.err == nil {
		switch z.Next() {
		case html.ErrorToken:
			r.close(0)
			r.breaks()
			return
		case html.TextToken:
			r.put(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, a := readTag(z)
			r.start(tag, a)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(string(name))
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

// seen are the attributes that are looked at.
var seen = map[string]bool{
	"href": true, "src": true, "style": true, "class": true, "color": true, "align": true, "alt": true, "width": true, "height": true,
	"type": true, "checked": true, "data-list": true, "data-value": true, "data-language": true,
}

func readTag(z *html.Tokenizer) (string, attrs) {
	name, more := z.TagName()
	tag := string(name)
	var a attrs
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if !seen[string(key)] {
			continue
		}
		if a == nil {
			a = attrs{}
		}
		if _, twice := a[string(key)]; !twice {
			a[string(key)] = string(value)
		}
	}
	return tag, a
}

// put adds text. Blanks become one, unless they count; at the ends of a line there are none.
func (r *htmlReader) put(s string) {
	if r.at.skip {
		return
	}
	if r.at.pre {
		for i, part := range strings.Split(s, "\n") {
			if i > 0 {
				r.newline()
			}
			if part != "" {
				r.due()
				r.text(part, r.looks())
			}
		}
		return
	}
	const blanks = " \t\n\f\r"
	for s != "" {
		if n := len(s) - len(strings.TrimLeft(s, blanks)); n > 0 {
			if !r.blank {
				r.blank, r.gap = true, r.looks()
			}
			s = s[n:]
			continue
		}
		n := strings.IndexAny(s, blanks)
		if n < 0 {
			n = len(s)
		}
		r.due()
		r.text(s[:n], r.looks())
		s = s[n:]
	}
}

// looks is the style of text here: code blocks have none.
func (r *htmlReader) looks() style {
	if r.at.block.kind == code {
		return style{}
	}
	return r.at.style
}

// due adds the blank that is due.
func (r *htmlReader) due() {
	if r.blank && r.begun {
		r.text(" ", r.gap)
	}
	r.blank = false
}

// newline ends the line, even if nothing stands in it.
func (r *htmlReader) newline() {
	if r.at.cell {
		r.breaks()
		return
	}
	r.blank = false
	r.page.end(r.at.block)
}

// breaks ends the line if something stands in it. What else would end it in a cell is a blank there.
func (r *htmlReader) breaks() {
	if r.at.cell {
		if !r.blank {
			r.blank, r.gap = true, style{}
		}
		return
	}
	r.blank = false
	if r.begun {
		r.page.end(r.at.block)
	}
}

func (r *htmlReader) start(tag string, a attrs) {
	kind := tagKinds[tag]
	if kind == voidTag {
		if !r.at.skip {
			r.void(tag, a)
		}
		return
	}
	switch {
	case r.at.skip: // counted, so that its end is not taken for another's
		kind = inlineTag
	case r.at.cell && kind != inlineTag && kind != lostTag: // whatever it is, it divides
		kind = blockTag
	case kind == lostTag:
		r.media(tag, a)
	}
	r.implied(tag, kind)
	if kind != inlineTag && kind != lostTag {
		r.breaks()
	}
	f := htmlFrame{tag: tag, kind: kind, lines: r.lines, before: r.at}
	if kind == listTag && r.lists() > len(r.items) { // a list right in a list
		f.level = true
		r.openItem(bullet)
	}
	r.frames = append(r.frames, f)
	if len(r.frames) > r.limits.Depth {
		r.fail(errorf(TooDeep, "tags nest more than %d deep", r.limits.Depth))
	}
	if r.err == nil && !r.at.skip {
		r.enter(tag, kind, a)
	}
}

// lists is how many lists are open.
func (r *htmlReader) lists() (n int) {
	for _, f := range r.frames {
		if f.kind == listTag {
			n++
		}
	}
	return n
}

// enter changes the state to that inside of an element.
func (r *htmlReader) enter(tag string, kind tagKind, a attrs) {
	s := &r.at
	if kind == inlineTag {
		if s.skip = r.special(tag, a); s.skip {
			return
		}
	}
	if s.style = a.marked(tag, s.style); s.block.kind == code {
		if l := languageOf(a.class("language-")); l != "" && s.block.language == "" {
			s.block.language = l
		}
	}
	for name, value := range declarations(a["style"]) {
		if name == "white-space" {
			s.pre = strings.HasPrefix(value, "pre") && value != "pre-line"
		}
	}
	if kind == inlineTag {
		return
	}
	s.placed(a)
	switch kind {
	case preTag:
		s.pre = true
		s.is(block{kind: code, language: languageOf(a.class("language-") + a["data-language"])})
	case itemTag:
		r.openItem(r.listKind(a))
		s.block = block{align: s.block.align, indent: s.block.indent}
	case rowTag:
		s.block.row = r.row()
	case cellTag:
		if s.block.row == "" {
			s.block.row = r.row()
		}
		s.block = block{kind: cell, row: s.block.row, align: s.block.align}
		s.cell = true
	case lostTag:
		s.skip = true
	case blockTag:
		switch {
		case tag == "blockquote":
			s.is(block{kind: quote, align: s.block.align, indent: s.block.indent})
		case len(tag) == 2 && tag[0] == 'h' && tag[1] != 'r':
			s.is(block{kind: header, level: int(tag[1] - '0'), align: s.block.align, indent: s.block.indent})
		}
	case inlineTag, listTag, tableTag, voidTag:
	}
}

// is makes the block another, unless it is code or a cell, in which there is no other.
func (s *htmlState) is(b block) {
	if s.block.kind != code && !s.cell {
		s.block = b
	}
}

// placed reads where a block stands.
func (s *htmlState) placed(a attrs) {
	align := a.class("ql-align-")
	if align == "" {
		align = a["align"]
	}
	for name, value := range declarations(a["style"]) {
		if name == "text-align" {
			align = value
		}
	}
	if align != "" {
		s.block.align = alignOf(align)
	}
	if n, err := strconv.Atoi(a.class("ql-indent-")); err == nil {
		s.block.indent = min(max(n, 0), maxIndent)
	}
}

// listKind is what an item is: what it says itself, or its list.
func (r *htmlReader) listKind(a attrs) string {
	switch k := a["data-list"]; k {
	case ordered, bullet, checked, unchecked:
		return k
	}
	for i := len(r.frames) - 1; i >= 0; i-- {
		if f := r.frames[i]; f.kind == listTag {
			if f.tag == "ol" {
				return ordered
			}
			break
		}
	}
	return bullet
}

// special reads the elements that Quill shows a formula or a video by.
func (r *htmlReader) special(tag string, a attrs) bool {
	switch {
	case tag == "span" && a["class"] == "ql-formula":
		if v := a["data-value"]; strings.TrimSpace(v) != "" && oneLine(v) == v {
			r.due()
			r.thing(thing{kind: formula, value: v}, r.at.style)
			return true
		}
	case tag == "a" && a["class"] == "ql-video":
		return r.media("video", attrs{"src": a["href"]})
	}
	return false
}

// media reads an element that shows what stands elsewhere.
func (r *htmlReader) media(tag string, a attrs) bool {
	at := pictureOf(a["src"])
	if tag != "video" && (tag != "iframe" || a["class"] != "ql-video") || at == "" || r.at.skip {
		return false
	}
	r.due()
	r.thing(thing{kind: video, value: at}, r.at.style)
	return true
}

func (r *htmlReader) void(tag string, a attrs) {
	switch tag {
	case "br":
		r.newline()
	case "hr":
		r.breaks()
		if !r.at.cell {
			r.text("---", style{})
			r.breaks()
		}
	case "img":
		r.due()
		if at := pictureOf(a["src"]); at != "" {
			r.thing(thing{kind: image, value: at, alt: oneLine(a["alt"]), width: pixelsOf(a["width"]), height: pixelsOf(a["height"])}, r.at.style)
		} else {
			r.text(oneLine("["+strings.TrimSpace("image "+a["alt"])+"]"), r.looks())
		}
	case "input":
		if n := len(r.items); n > 0 && a["type"] == "checkbox" && !r.items[n-1].used {
			r.items[n-1].list = unchecked
			if _, on := a["checked"]; on {
				r.items[n-1].list = checked
			}
		}
	}
}

// implied ends what the start of an element ends: a paragraph before a block, an item before an item, a cell before a cell.
func (r *htmlReader) implied(tag string, kind tagKind) {
	if kind == inlineTag || kind == lostTag {
		return
	}
	within := true // no block but paragraphs was passed
	for i := len(r.frames) - 1; i >= 0; i-- {
		switch f := r.frames[i]; {
		case f.tag == "p" && within,
			f.kind == cellTag && (kind == cellTag || kind == rowTag),
			f.tag == tag && (tag == "dt" || tag == "dd" || tag == "option"):
			r.close(i)
		case f.kind == itemTag && kind == itemTag, f.kind == rowTag && kind == rowTag:
			r.close(i)
			return
		case f.kind == listTag, f.kind == tableTag, f.kind == cellTag:
			return
		case f.kind != inlineTag:
			within = false
		}
	}
}

// end ends the element that a tag names, if it is open, with what is open in it. A mark's end ends no block.
func (r *htmlReader) end(tag string) {
	inner := tagKinds[tag] == inlineTag
	for i := len(r.frames) - 1; i >= 0; i-- {
		if r.frames[i].tag == tag {
			r.close(i)
			return
		}
		if k := r.frames[i].kind; inner && k != inlineTag && k != lostTag {
			return
		}
	}
}

// close ends elements until so many are open.
func (r *htmlReader) close(n int) {
	for len(r.frames) > n {
		f := r.frames[len(r.frames)-1]
		r.frames = r.frames[:len(r.frames)-1]
		switch {
		case f.kind == cellTag:
			r.blank = false
			r.page.end(r.at.block)
		case f.kind == preTag && !r.begun && r.lines == f.lines:
			r.page.end(r.at.block)
		case f.kind != inlineTag && f.kind != lostTag:
			r.breaks()
		}
		switch {
		case f.kind == itemTag:
			r.closeItem(block{align: r.at.block.align})
		case f.level:
			r.items = r.items[:len(r.items)-1]
		}
		r.at = f.before
	}
}
