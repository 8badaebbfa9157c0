package convert

import (
	"testing"

	"plenum.internal/docs/ot"
)

// What doc.go says is lost, and nothing more: what comes back of it by Markdown and by HTML. Empty: what was there.
func TestLosses(t *testing.T) {
	for name, c := range map[string]struct{ document, markdown, html string }{
		"align":                {`[{"insert":"a"},{"insert":"\n","attributes":{"align":"right"}}]`, `[{"insert":"a\n"}]`, ``},
		"indent":               {`[{"insert":"a"},{"insert":"\n","attributes":{"indent":2}}]`, `[{"insert":"a\n"}]`, ``},
		"align of an item":     {`[{"insert":"a"},{"insert":"\n","attributes":{"align":"right","list":"bullet"}}]`, `[{"insert":"a"},{"insert":"\n","attributes":{"list":"bullet"}}]`, ``},
		"align within columns": {`[{"insert":"a"},{"insert":"\n","attributes":{"table":"row-1"}},{"insert":"b"},{"insert":"\n","attributes":{"align":"right","table":"row-2"}}]`, `[{"insert":"a"},{"insert":"\n","attributes":{"table":"row-1"}},{"insert":"b"},{"insert":"\n","attributes":{"table":"row-2"}}]`, ``},
		"a short row":          {`[{"insert":"\n\n","attributes":{"table":"row-1"}},{"insert":"\n","attributes":{"table":"row-2"}}]`, `[{"insert":"\n\n","attributes":{"table":"row-1"}},{"insert":"\n\n","attributes":{"table":"row-2"}}]`, ``},
		"ids of rows":          {`[{"insert":"\n","attributes":{"table":"row-x7"}}]`, `[{"insert":"\n","attributes":{"table":"row-1"}}]`, `[{"insert":"\n","attributes":{"table":"row-1"}}]`},
		"size of an image":     {`[{"insert":{"image":"http://a/b"},"attributes":{"width":"1"}},{"insert":"\n"}]`, `[{"insert":{"image":"http://a/b"}},{"insert":"\n"}]`, ``},
		"video":                {`[{"insert":{"video":"http://a/b"}},{"insert":"\n"}]`, `[{"insert":"video","attributes":{"link":"http://a/b"}},{"insert":"\n"}]`, ``},
		"formats in code":      {`[{"insert":"a","attributes":{"bold":true}},{"insert":"\n","attributes":{"code-block":true,"align":"right"}}]`, `[{"insert":"a"},{"insert":"\n","attributes":{"code-block":true}}]`, `[{"insert":"a"},{"insert":"\n","attributes":{"code-block":true}}]`},
		"a strange language":   {`[{"insert":"\n","attributes":{"code-block":"a b"}}]`, `[{"insert":"\n","attributes":{"code-block":true}}]`, `[{"insert":"\n","attributes":{"code-block":true}}]`},
		"two kinds of line":    {`[{"insert":"\n","attributes":{"header":1,"list":"bullet"}}]`, `[{"insert":"\n","attributes":{"list":"bullet"}}]`, `[{"insert":"\n","attributes":{"list":"bullet"}}]`},
		"another attribute":    {`[{"insert":"a","attributes":{"font":"serif"}},{"insert":"\n"}]`, `[{"insert":"a\n"}]`, `[{"insert":"a\n"}]`},
		"another embed":        {`[{"insert":{"poll":{"id":7}}},{"insert":"\n"}]`, `[{"insert":"[poll]\n"}]`, `[{"insert":"[poll]\n"}]`},
		"a mention":            {`[{"insert":{"mention":{"id":"7","value":"ada","denotationChar":"@"}}},{"insert":"\n"}]`, `[{"insert":"@ada\n"}]`, `[{"insert":"@ada\n"}]`},
		"control characters":   {`[{"insert":"a\u0000\rb\n"}]`, `[{"insert":"a��b\n"}]`, `[{"insert":"a��b\n"}]`},
		"no last newline":      {`[{"insert":"a"}]`, `[{"insert":"a\n"}]`, `[{"insert":"a\n"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			d := parsed(t, c.document)
			for _, way := range []struct {
				want  string
				write func(ot.Delta, int) (string, error)
				read  func([]byte, Limits) (ot.Delta, error)
			}{{c.markdown, Markdown, FromMarkdown}, {c.html, HTML, FromHTML}} {
				want := d
				if way.want != "" {
					want = parsed(t, way.want)
				}
				text, err := way.write(d, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				back, err := way.read([]byte(text), DefaultLimits())
				if err != nil || !back.Equal(want) {
					t.Errorf("%s\ncame back as %s, want %s; %v", text, back.JSON(), want.JSON(), err)
				}
			}
		})
	}
}

func parsed(t *testing.T, text string) ot.Delta {
	t.Helper()
	d, err := ot.Parse([]byte(text), ot.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d.Normal()
}
