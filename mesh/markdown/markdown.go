// Package markdown finds the handles that a text in Markdown names.
package markdown

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// MaxHandles bounds the distinct handles that one text may name; the rest is read as plain text.
const MaxHandles = 60

// maxHandle is the longest handle in bytes.
const maxHandle = 64

// MaxNesting bounds quotes and lists inside each other on one line: parsing takes time with its square. What is nested deeper names
// nobody.
const MaxNesting = 50

// Handles returns the distinct handles that stand behind an "@" in the visible text of source, folded to lower case, in order. Code
// spans, code blocks, raw HTML and addresses name nobody, and neither does an "@" inside a word or behind a backslash. A handle ends
// with a letter or digit: the full stop of "@anna." is no part of it.
func Handles(source string) []string {
	if !strings.Contains(source, "@") || nesting(source) > MaxNesting {
		return nil
	}
	var found []string
	for _, run := range visible([]byte(source)) {
		for _, h := range scan(run) {
			h = strings.ToLower(h)
			if !slices.Contains(found, h) {
				found = append(found, h)
			}
			if len(found) == MaxHandles {
				return found
			}
		}
	}
	return found
}

// nesting returns the greatest number of container markers that a line begins with, or more.
func nesting(source string) int {
	deepest := 0
	for line := range strings.Lines(source) {
		n := 0
		for _, c := range line {
			if c == '>' || c == '-' || c == '*' || c == '+' || c == '.' || c == ')' {
				n++
			} else if c != ' ' && c != '\t' && (c < '0' || c > '9') {
				break
			}
		}
		deepest = max(deepest, n)
	}
	return deepest
}

// newParser knows all blocks, and of what stands in lines only that which hides text. Emphasis and links, which hide none, take time
// with the square of their length.
func newParser() parser.Parser {
	return parser.NewParser(parser.WithBlockParsers(parser.DefaultBlockParsers()...), parser.WithInlineParsers(
		util.Prioritized(parser.NewCodeSpanParser(), 100),
		util.Prioritized(parser.NewAutoLinkParser(), 300),
		util.Prioritized(parser.NewRawHTMLParser(), 400),
	))
}

// visible returns the runs of plain text in source: neighbouring segments are joined, because the parser splits text at each possible
// delimiter.
func visible(source []byte) []string {
	var runs []string
	start, stop := 0, -1
	flush := func() {
		if stop > start {
			runs = append(runs, before(source[:start])+string(source[start:stop]))
		}
	}
	doc := newParser().Parse(text.NewReader(source))
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

// before returns the character that stands before a run; the start of the source counts as space.
func before(source []byte) string {
	r, _ := utf8.DecodeLastRune(source)
	if len(source) == 0 || r == utf8.RuneError {
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
		if h := strings.TrimRight(run[i+1:end], "._-"); h != "" && len(h) <= maxHandle {
			found = append(found, h)
		}
		before, i = '@', max(end, i+1)
	}
	return found
}

// opens tells whether an "@" behind r starts a mention.
func opens(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@/\\.-+=&?:", r)
}
