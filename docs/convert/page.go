package convert

import (
	"maps"
	"strconv"
	"strings"

	"plenum.internal/docs/ot"
)

// page is content that is being read, line by line.
type page struct {
	limits Limits
	b      ot.Builder
	ops    int
	last   *ot.Attributes // of the text that came last
	grows  bool           // text came last
	lines  int            // that have ended
	begun  bool           // something stands in the line
	items  []listItem     // that are open, the innermost last
	rows   int            // of tables
	styles map[style]*ot.Attributes
	blocks map[block]*ot.Attributes
	err    error // the first
}

// listItem is an open item of a list.
type listItem struct {
	list  string
	used  bool // its own line has ended
	lines int  // that the page had
}

func newPage(l Limits) *page {
	return &page{limits: l, styles: map[style]*ot.Attributes{}, blocks: map[block]*ot.Attributes{}}
}

func (p *page) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// count counts an operation, unless it becomes one with the last.
func (p *page) count(a *ot.Attributes, text bool) {
	if text && p.grows && a == p.last {
		return
	}
	p.last, p.grows = a, text
	if p.ops++; p.ops > p.limits.Ops {
		p.fail(errorf(TooLarge, "it becomes more than %d pieces of different formats", p.limits.Ops))
	}
}

// text adds text to the line; a control character that can't be shown becomes U+FFFD, the end of a line a blank.
func (p *page) text(s string, as style) {
	if s == "" || p.err != nil {
		return
	}
	a, ok := p.styles[as]
	if !ok {
		a = as.attributes()
		p.styles[as] = a
	}
	p.count(a, true)
	p.b.Insert(visible(strings.ReplaceAll(s, "\n", " ")), a)
	p.begun = true
}

// thing adds an image, a formula or a video to the line.
func (p *page) thing(t thing, as style) {
	if p.err != nil {
		return
	}
	as.code = false
	name := map[thingKind]string{image: "image", formula: "formula", video: "video"}[t.kind]
	e, err := ot.NewEmbed(name, ot.Text(t.value))
	if err != nil {
		panic(err) // the names are ours
	}
	m := maps.Collect(as.attributes().All())
	for name, v := range map[string]string{"alt": t.alt, "width": t.width, "height": t.height} {
		if v != "" {
			m[name] = ot.Text(v)
		}
	}
	p.count(nil, false)
	p.b.InsertEmbed(e, made(m))
	p.begun = true
}

// end ends the line. A plain line in an item of a list is the item's own, if it is the first.
func (p *page) end(b block) {
	if p.err != nil {
		return
	}
	if n := len(p.items); n > 0 {
		i := &p.items[n-1]
		if b.kind == plain {
			if !i.used {
				b.kind, b.list, b.indent = item, i.list, min(n-1+b.indent, maxIndent)
			} else {
				b.indent = min(n+b.indent, maxIndent)
			}
		}
		i.used = true
	}
	b = b.tidy()
	a, ok := p.blocks[b]
	if !ok {
		a = b.attributes()
		p.blocks[b] = a
	}
	p.count(a, true)
	p.b.Insert("\n", a)
	p.begun = false
	p.lines++
}

// openItem begins an item of a list.
func (p *page) openItem(list string) {
	p.items = append(p.items, listItem{list: list, lines: p.lines})
	if len(p.items) > p.limits.Depth {
		p.fail(errorf(TooDeep, "lists nest more than %d deep", p.limits.Depth))
	}
}

// closeItem ends an item. One that nothing stood in is an empty line.
func (p *page) closeItem(b block) {
	if n := len(p.items); p.lines == p.items[n-1].lines {
		p.end(b)
	}
	p.items = p.items[:len(p.items)-1]
}

// row is the id of the next row of a table.
func (p *page) row() string {
	p.rows++
	return "row-" + strconv.Itoa(p.rows)
}

// content is what was read. It has a line at least.
func (p *page) content() (ot.Delta, error) {
	if p.begun || p.lines == 0 {
		p.end(block{})
	}
	if p.err != nil {
		return ot.Delta{}, p.err
	}
	d, err := p.b.Delta()
	if err != nil {
		return ot.Delta{}, errorf(BadText, "%v", err)
	}
	return accepted(d)
}
