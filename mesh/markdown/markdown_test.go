package markdown

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHandles(t *testing.T) {
	for _, c := range []struct {
		name, source string
		want         []string
	}{
		{"none", "hello", nil},
		{"start", "@anna hi", []string{"anna"}},
		{"only", "@anna", []string{"anna"}},
		{"folded", "hi @Anna", []string{"anna"}},
		{"once", "@anna @ANNA @anna", []string{"anna"}},
		{"punctuation", "thanks, @anna. And @bob!", []string{"anna", "bob"}},
		{"dots inside", "@anna.b_c-d x", []string{"anna.b_c-d"}},
		{"brackets", "(@anna) [@bob]", []string{"anna", "bob"}},
		{"emphasis", "**@anna** _@bob_ ~~@carl~~", []string{"anna", "bob", "carl"}},
		{"underscores", "@an_na_b", []string{"an_na_b"}},
		{"list and quote", "- @anna\n\n> @bob", []string{"anna", "bob"}},
		{"lines", "@anna\n@bob", []string{"anna", "bob"}},
		{"heading", "# @anna", []string{"anna"}},
		{"link", "[@anna](https://example.com/@bob)", []string{"anna"}},
		{"nested deeper than anybody writes", strings.Repeat("> ", MaxNesting+1) + "@anna", nil},
		{"nested", strings.Repeat("> ", MaxNesting) + "@anna", []string{"anna"}},
		{"code span", "`@anna` and ``x ` @bob``", nil},
		{"open code span is text", "`@anna", []string{"anna"}},
		{"fenced", "```\n@anna\n```\n~~~ @x\n@bob\n~~~", nil},
		{"indented", "a\n\n    @anna\n", nil},
		{"html", "<b title='@anna'>@bob</b>", []string{"bob"}},
		{"mail", "anna@example.com <bob@example.com>", nil},
		{"address", "https://example.com/@anna", nil},
		{"escaped", `\@anna`, nil},
		{"other scripts", "@анна и @李雷", []string{"анна", "李雷"}},
		{"bare", "@ @@ @@anna", nil},
		{"too long", "@" + strings.Repeat("a", maxHandle+1), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Handles(c.source)
			if !reflect.DeepEqual(got, c.want) {
				t.Fatalf("Handles(%q) = %q, want %q", c.source, got, c.want)
			}
		})
	}
}

func TestHandlesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * MaxHandles {
		b.WriteString(" @u" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	if n := len(Handles(b.String())); n != MaxHandles {
		t.Fatalf("%d handles, want %d", n, MaxHandles)
	}
}

// The longest message of what parsers dislike must not hold a commit up.
func TestHandlesOfHostileSource(t *testing.T) {
	for _, unit := range []string{"[", "![", "*a_", "`", "> ", "- ", "<", "@", "[a](", "\\", "&", "~", "@a*", "<a ", "<!--", "1. ", "* * ", "> @a\n", "- @a\n", "``` `"} {
		source := strings.Repeat(unit, 16<<10/len(unit)-1) + "@"
		start := time.Now()
		Handles(source)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%q repeated to 16 KiB took %v", unit, d)
		} else {
			t.Logf("%q: %v", unit, d)
		}
	}
}

func FuzzHandles(f *testing.F) {
	for _, s := range []string{"@anna `@b`", "```\n@x", "[@a](@b) @ü.", "\xff@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, h := range Handles(source) {
			if h == "" || len(h) > 2*maxHandle { // lower case may be longer
				t.Fatalf("handle %q of %q", h, source)
			}
		}
	})
}
