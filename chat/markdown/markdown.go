// Package markdown finds the people that a message's Markdown source speaks to.
package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// MaxHandles bounds the distinct handles that one message may name; the rest is read as plain text.
const MaxHandles = 60

// maxHandle is the longest handle in bytes.
const maxHandle = 64

// Handles returns the distinct handles that stand behind an "@" in the visible text of source, folded to lower case, in order. Code
// spans, code blocks, raw HTML, addresses and the targets of links name nobody, and neither does an "@" inside a word or behind a
// backslash. A handle that ends in punctuation ("@anna.") is returned as written and then without it, since only a directory knows.
func Handles(source string) [][]string {
	if !strings.Contains(source, "@") {
		return nil
	}
	var found [][]string
	seen := map[string]bool{}
	for _, run := range visible([]byte(source)) {
		for _, h := range scan(run) {
			h = strings.ToLower(h)
			if seen[h] {
				continue
			}
			if len(found) == MaxHandles {
				return found
			}
			seen[h] = true
			readings := []string{h}
			if short := strings.TrimRight(h, "._-"); short != h && short != "" {
				readings = append(readings, short)
			}
			found = append(found, readings)
		}
	}
	return found
}

// visible returns the runs of plain text in source: neighbouring segments are joined, because the parser splits text at each possible
// delimiter ("@anna_b" is three segments).
func visible(source []byte) []string {
	var runs []string
	start, stop := 0, -1
	flush := func() {
		if stop > start {
			runs = append(runs, before(source[:start])+string(source[start:stop]))
		}
	}
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan, *ast.CodeBlock, *ast.FencedCodeBlock, *ast.HTMLBlock, *ast.RawHTML, *ast.AutoLink:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if n.Segment.Start != stop {
				flush()
				start = n.Segment.Start
			}
			stop = n.Segment.Stop
		}
		return ast.WalkContinue, nil
	})
	flush()
	return runs
}

// before returns the character that stands before a run; a delimiter of emphasis and the start of the source count as space.
func before(source []byte) string {
	r, _ := utf8.DecodeLastRune(source)
	if len(source) == 0 || r == '_' || r == utf8.RuneError {
		return " "
	}
	return string(r)
}

// scan finds the handles in a run, whose first character is what stands before the text.
func scan(run string) []string {
	var found []string
	before, width := utf8.DecodeRuneInString(run)
	for i := width; i < len(run); {
		r, w := utf8.DecodeRuneInString(run[i:])
		if r != '@' || !opens(before) {
			before, i = r, i+w
			continue
		}
		end := i + 1
		for end < len(run) {
			r, w := utf8.DecodeRuneInString(run[end:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '_' && r != '-' {
				break
			}
			end += w
		}
		if n := end - i - 1; n > 0 && n <= maxHandle {
			found = append(found, run[i+1:end])
		}
		before, i = '@', max(end, i+1)
	}
	return found
}

// opens tells whether an "@" behind r starts a mention.
func opens(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@/\\.-_+=&?:", r)
}
