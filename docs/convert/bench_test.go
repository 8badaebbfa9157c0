package convert

import (
	"strings"
	"testing"

	"plenum.internal/docs/ot"
)

// written is what people write, repeated to half a mebibyte.
var written = strings.Repeat("## A heading\n\nSome text with **bold**, _italic_ and `code`, and [a link](https://a.example/page) to somewhere else; "+
	strings.Repeat("and a few more words that say nothing, ", 8)+"\n\n- one\n  1. nested\n- [x] done\n\n> quoted\n\n```go\nfunc main() {}\n```\n\n| a | b |\n| --- | --- |\n| c | d |\n\n", 512<<10/560)

// The bytes counted are those of the text that is read or written.
func BenchmarkConvert(b *testing.B) {
	d, err := FromMarkdown([]byte(written), Limits{Bytes: 1 << 20, Depth: 100, Ops: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]struct {
		write func(ot.Delta, int) (string, error)
		read  func([]byte, Limits) (ot.Delta, error)
	}{"markdown": {Markdown, FromMarkdown}, "html": {HTML, FromHTML}, "text": {Text, FromText}} {
		text, err := f.write(d, 4<<20)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("to "+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := f.write(d, 4<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("from "+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := f.read([]byte(text), Limits{Bytes: 1 << 20, Depth: 100, Ops: 1 << 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
