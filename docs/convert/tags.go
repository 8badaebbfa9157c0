package convert

import (
	"html"
	"strings"
)

// openTag is the tag that begins a mark, in HTML and in Markdown that has none of its own.
func openTag(m mark) string {
	switch m.name {
	case markLink:
		return `<a href="` + html.EscapeString(m.value) + `">`
	case markBackground:
		return `<span style="background-color: ` + html.EscapeString(m.value) + `">`
	case markColor:
		return `<span style="color: ` + html.EscapeString(m.value) + `">`
	case markScript, markUnderline, markStrike, markBold, markItalic:
	}
	return "<" + tagOf(m) + ">"
}

func shutTag(m mark) string { return "</" + tagOf(m) + ">" }

func tagOf(m mark) string {
	switch m.name {
	case markLink:
		return "a"
	case markBackground, markColor:
		return "span"
	case markScript:
		if m.value == "sub" {
			return "sub"
		}
		return "sup"
	case markUnderline:
		return "u"
	case markStrike:
		return "s"
	case markBold:
		return "strong"
	case markItalic:
	}
	return "em"
}

// attrs are the attributes of a tag that are looked at.
type attrs map[string]string

// marked changes a style to what a tag and its attributes make of it.
func (a attrs) marked(tag string, s style) style {
	switch tag {
	case "b", "strong":
		s.bold = true
	case "i", "em", "cite", "dfn", "var":
		s.italic = true
	case "u", "ins":
		s.underline = true
	case "s", "strike", "del":
		s.strike = true
	case "code", "kbd", "samp", "tt":
		s.code = true
	case "sub":
		s.script = "sub"
	case "sup":
		s.script = "super"
	case "font":
		if c := colorOf(a["color"]); c != "" {
			s.color = c
		}
	case "a":
		if at := addressOf(a["href"]); at != "" {
			s.link = at
		}
	}
	for name, value := range declarations(a["style"]) {
		switch name {
		case "color":
			if c := colorOf(value); c != "" {
				s.color = c
			}
		case "background-color", "background":
			if c := colorOf(value); c != "" && c != "transparent" {
				s.background = c
			}
		case "font-weight":
			s.bold = value == "bold" || value == "bolder" || len(value) == 3 && value >= "600" && value <= "900"
		case "font-style":
			s.italic = value == "italic" || value == "oblique"
		case "text-decoration", "text-decoration-line":
			s.underline = s.underline || strings.Contains(value, "underline")
			s.strike = s.strike || strings.Contains(value, "line-through")
		case "vertical-align":
			if value == "sub" || value == "super" {
				s.script = value
			}
		}
	}
	return s
}

// declarations go through the names and values of a style attribute.
func declarations(style string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for d := range strings.SplitSeq(style, ";") {
			name, value, ok := strings.Cut(d, ":")
			if ok && !yield(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// class finds what follows a prefix among the classes.
func (a attrs) class(prefix string) string {
	for c := range strings.FieldsSeq(a["class"]) {
		if rest, ok := strings.CutPrefix(c, prefix); ok {
			return rest
		}
	}
	return ""
}
