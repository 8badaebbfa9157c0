package convert

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// newParser parses CommonMark, tables, task lists and strikethrough, under a meter. One parser serves one source.
func newParser(m *meter) parser.Parser {
	var inlines []util.PrioritizedValue
	for _, p := range append(parser.DefaultInlineParsers(),
		util.Prioritized(extension.NewTaskCheckBoxParser(), 0), util.Prioritized(extension.NewStrikethroughParser(), 500)) {
		if inner, ok := p.Value.(parser.InlineParser); ok {
			inlines = append(inlines, util.Prioritized(m.inline(inner), p.Priority))
		}
	}
	transformers := []util.PrioritizedValue{util.Prioritized(meteredTables{extension.NewTableParagraphTransformer(), m}, 200)}
	for _, p := range parser.DefaultParagraphTransformers() {
		if inner, ok := p.Value.(parser.ParagraphTransformer); ok {
			transformers = append(transformers, util.Prioritized(meteredDefinitions{inner, m}, p.Priority))
		}
	}
	return parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(inlines...),
		parser.WithParagraphTransformers(transformers...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
}

// meter bounds what a parser may do that takes time with the square of a paragraph's length: it pairs marks by going back over those before,
// and looks for the ends of links and code that have none.
type meter struct {
	spent int
	block ast.Node // whose marks are counted
	marks int
	err   error
}

// most is what may be spent: marks that are gone over, and bytes that were looked through in vain. A second or less.
const most = 100_000_000

func (m *meter) spend(n int) {
	if m.spent += n; m.spent > most {
		m.fail(errorf(TooComplex, "a paragraph has more marks than can be read; divide it"))
	}
}

func (m *meter) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *meter) inline(p parser.InlineParser) parser.InlineParser {
	if c, ok := p.(parser.CloseBlocker); ok {
		return closingMetered{metered{p, m}, c}
	}
	return metered{p, m}
}

// metered is a parser of marks that spends what it may cost.
type metered struct {
	parser.InlineParser
	meter *meter
}

// Parse implements parser.InlineParser. When all is spent, the rest is text; it is not looked at any more.
func (p metered) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	m := p.meter
	line, at := block.PeekLine()
	switch line[0] {
	case '*', '_', '~', ']':
		if m.block != parent {
			m.block, m.marks = parent, 0
		}
		m.marks++
		m.spend(m.marks)
	}
	if m.err != nil {
		return nil
	}
	node := p.InlineParser.Parse(parent, block, pc)
	_, open := node.(*ast.Text) // a code span that has no end
	if line[0] == '`' && open || node == nil && len(line) > 1 && line[0] == ']' && (line[1] == '(' || line[1] == '[') {
		lines := parent.Lines()
		m.spend(4 * (lines.At(lines.Len()-1).Stop - at.Start)) // they are looked through by character, more than once
	}
	return node
}

type closingMetered struct {
	metered
	parser.CloseBlocker
}

// meteredDefinitions spends what the definitions of links cost that follow each other: each moves those behind it.
type meteredDefinitions struct {
	parser.ParagraphTransformer
	meter *meter
}

// Transform implements parser.ParagraphTransformer.
func (t meteredDefinitions) Transform(n *ast.Paragraph, reader text.Reader, pc parser.Context) {
	lines := n.Lines().Len()
	if first := n.Lines().At(0); bytes.HasPrefix(bytes.TrimLeft(first.Value(reader.Source()), " "), []byte("[")) {
		t.meter.spend(lines * lines / 2)
	}
	if t.meter.err == nil {
		t.ParagraphTransformer.Transform(n, reader, pc)
	}
}

// meteredTables makes no table of more cells than the meter allows: short rows get as many as the first has.
type meteredTables struct {
	parser.ParagraphTransformer
	meter *meter
}

// Transform implements parser.ParagraphTransformer.
func (t meteredTables) Transform(n *ast.Paragraph, reader text.Reader, pc parser.Context) {
	const mostCells = 200_000
	columns := 0
	for i := 1; i < n.Lines().Len(); i++ {
		at := n.Lines().At(i)
		if line := at.Value(reader.Source()); len(bytes.Trim(line, " \t\r\n-|:")) == 0 {
			columns = max(columns, bytes.Count(line, []byte("|"))+1)
		}
	}
	if columns*n.Lines().Len() > mostCells {
		t.meter.fail(errorf(TooComplex, "a table has more than %d cells", mostCells))
		return
	}
	t.ParagraphTransformer.Transform(n, reader, pc)
}
