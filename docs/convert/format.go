package convert

import (
	"encoding/json"
	"strconv"
	"strings"

	"plenum.internal/docs/ot"
)

// style is how text looks.
type style struct {
	bold, italic, underline, strike, code bool
	script                                string // sub or super
	color, background                     string // Invariant: isColor, or empty
	link                                  string // Invariant: isAddress, or empty
}

// kind is what a line is.
type kind uint8

const (
	plain  kind = iota
	header      // level
	item        // list
	quote
	code // language
	cell // row
)

// block is what a line is and where it stands.
type block struct {
	kind     kind
	level    int    // of a header, 1 to 6
	list     string // ordered, bullet, checked or unchecked
	indent   int    // 0 to maxIndent
	align    string // center, right or justify; empty: as text runs
	language string // of code; empty: not told
	row      string // of a table's cell: equal in one row
}

const (
	maxIndent  = 8
	maxAddress = 4096
)

// The kinds of list.
const (
	ordered   = "ordered"
	bullet    = "bullet"
	checked   = "checked"
	unchecked = "unchecked"
)

// styleOf reads the formats of text.
func styleOf(a *ot.Attributes) (s style) {
	for name, v := range a.All() {
		switch on := truth(v); name {
		case "bold":
			s.bold = on
		case "italic":
			s.italic = on
		case "underline":
			s.underline = on
		case "strike":
			s.strike = on
		case "code":
			s.code = on
		case "script":
			if t := str(v); t == "sub" || t == "super" {
				s.script = t
			}
		case "color":
			s.color = colorOf(str(v))
		case "background":
			s.background = colorOf(str(v))
		case "link":
			s.link = addressOf(str(v))
		}
	}
	return s
}

// attributes are the formats of text.
func (s style) attributes() *ot.Attributes {
	m := map[string]ot.Value{}
	for name, on := range map[string]bool{"bold": s.bold, "italic": s.italic, "underline": s.underline, "strike": s.strike, "code": s.code} {
		if on {
			m[name] = ot.Bool(true)
		}
	}
	for name, t := range map[string]string{"script": s.script, "color": s.color, "background": s.background, "link": s.link} {
		if t != "" {
			m[name] = ot.Text(t)
		}
	}
	return made(m)
}

// blockOf reads the formats of a line.
func blockOf(a *ot.Attributes) (b block) {
	var is [cell + 1]bool
	for name, v := range a.All() {
		switch name {
		case "header":
			if n := number(v); n >= 1 && n <= 6 {
				is[header], b.level = true, n
			}
		case "list":
			if t := str(v); t == ordered || t == bullet || t == checked || t == unchecked {
				is[item], b.list = true, t
			}
		case "indent":
			b.indent = min(max(number(v), 0), maxIndent)
		case "align":
			b.align = alignOf(str(v))
		case "blockquote":
			is[quote] = truth(v)
		case "code-block":
			is[code], b.language = truth(v) || str(v) != "", languageOf(str(v))
		case "table":
			b.row = str(v)
			is[cell] = b.row != ""
		}
	}
	for _, k := range []kind{code, cell, item, header, quote} {
		if is[k] {
			b.kind = k
			break
		}
	}
	return b.tidy()
}

// tidy leaves what counts for the kind, so that equal lines are equal.
func (b block) tidy() block {
	t := block{kind: b.kind, indent: b.indent, align: b.align}
	switch b.kind {
	case header:
		t.level = b.level
	case item:
		t.list = b.list
	case code:
		return block{kind: code, language: b.language}
	case cell:
		t.row, t.indent = b.row, 0
	case plain, quote:
	}
	return t
}

// attributes are the formats of a line.
func (b block) attributes() *ot.Attributes {
	m := map[string]ot.Value{}
	switch b.kind {
	case plain:
	case header:
		m["header"] = ot.Number(float64(b.level))
	case item:
		m["list"] = ot.Text(b.list)
	case quote:
		m["blockquote"] = ot.Bool(true)
	case code:
		m["code-block"] = ot.Bool(true)
		if b.language != "" {
			m["code-block"] = ot.Text(b.language)
		}
	case cell:
		m["table"] = ot.Text(b.row)
	}
	if b.indent > 0 {
		m["indent"] = ot.Number(float64(b.indent))
	}
	if b.align != "" {
		m["align"] = ot.Text(b.align)
	}
	return made(m)
}

func made(m map[string]ot.Value) *ot.Attributes {
	a, err := ot.NewAttributes(m)
	if err != nil {
		panic(err) // the names are ours
	}
	return a
}

// str is a string; "" for other values.
func str(v ot.Value) (s string) {
	if t := v.JSON(); strings.HasPrefix(t, `"`) && json.Unmarshal([]byte(t), &s) != nil {
		return ""
	}
	return s
}

func truth(v ot.Value) bool { return v.JSON() == "true" }

// number is a small whole number, that some write as a string; 0 for other values.
func number(v ot.Value) int {
	n, err := strconv.ParseUint(strings.Trim(v.JSON(), `"`), 10, 15)
	if err != nil {
		return 0
	}
	return int(n)
}

// addressOf is an address that may be followed, or nothing.
func addressOf(s string) string {
	if len(s) > maxAddress {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return ""
		}
	}
	for _, scheme := range []string{"http://", "https://", "mailto:"} {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s
		}
	}
	return ""
}

// pictureOf is an address that a picture may be fetched from, or nothing.
func pictureOf(s string) string {
	if s = addressOf(s); s == "" || s[0] != 'h' && s[0] != 'H' {
		return ""
	}
	return s
}

// colorOf is a colour as CSS writes it: a name, #hex, rgb(…) or rgba(…); or nothing.
func colorOf(s string) string {
	if len(s) > 40 {
		return ""
	}
	switch low := strings.ToLower(s); {
	case strings.HasPrefix(low, "#"):
		if n := len(s); (n == 4 || n == 5 || n == 7 || n == 9) && only(low[1:], "0123456789abcdef") {
			return s
		}
	case strings.HasPrefix(low, "rgb(") || strings.HasPrefix(low, "rgba("):
		if inside, ok := strings.CutSuffix(low[strings.Index(low, "(")+1:], ")"); ok && only(inside, "0123456789., %") {
			return s
		}
	case only(low, "abcdefghijklmnopqrstuvwxyz"):
		return s
	}
	return ""
}

// languageOf is a language as a fence names it; nothing for what isn't one short word.
func languageOf(s string) string {
	if len(s) > 32 || !only(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+#._-") {
		return ""
	}
	return s
}

func alignOf(s string) string {
	if s == "center" || s == "right" || s == "justify" {
		return s
	}
	return ""
}

func only(s, set string) bool { return strings.Trim(s, set) == "" }
