package convert

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// allowed are the tags that may be written, with their attributes.
var allowed = map[string]string{
	"p": "class style", "h1": "class style", "h2": "class style", "h3": "class style", "h4": "class style", "h5": "class style", "h6": "class style",
	"blockquote": "class style", "pre": "", "code": "class", "table": "", "tbody": "", "tr": "", "td": "style", "ul": "", "ol": "", "li": "style data-list",
	"input": "type disabled checked", "br": "", "span": "style class data-value", "a": "href class", "img": "src alt width height",
	"strong": "", "em": "", "u": "", "s": "", "sub": "", "sup": "",
	"thead": "", "th": "style", "del": "", // what others make of Markdown
}

// unsafe says what in HTML could do harm, or is none of what may be written.
func unsafe(text string) string {
	z := nethtml.NewTokenizer(strings.NewReader(text))
	for {
		switch kind := z.Next(); kind {
		case nethtml.ErrorToken:
			return ""
		case nethtml.CommentToken, nethtml.DoctypeToken:
			return "a comment"
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken, nethtml.EndTagToken:
			t := z.Token()
			attributes, ok := allowed[t.Data]
			if !ok {
				return "the tag " + t.Data
			}
			for _, a := range t.Attr {
				switch {
				case !strings.Contains(" "+attributes+" ", " "+a.Key+" "):
					return fmt.Sprintf("%s has %s=%q", t.Data, a.Key, a.Val)
				case (a.Key == "href" || a.Key == "src") && addressOf(a.Val) == "":
					return fmt.Sprintf("the address %q", a.Val)
				case a.Key == "style" && strings.ContainsAny(a.Val, ";\"'\\<>/"):
					return fmt.Sprintf("the style %q", a.Val)
				}
			}
		case nethtml.TextToken:
		}
	}
}

// rendered is what another program makes of Markdown that lets all HTML through.
func rendered(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var evil = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, ` javascript:alert(1)`, "java\tscript:alert(1)", `data:text/html,<script>`,
	`https://a.example/"onclick="alert(1)`, `https://a.example/'><script>`, `https://a.example/)<script>`, `https://a.example/](javascript:alert(1))`, `red;background:url(javascript:x)`, `expression(alert(1))`,
	"</code></pre><script>", "```\n<script>", "<!--", "-->", "]]>", "&lt;script&gt;", `\<script>`, "`<b>`", "| <b> |", "[a]: javascript:x", "<javascript:x>", "</span", "<a href='", "$`", "`$", "true", "ql-video",
}

// drawEvil is a document whose every name, value, text and embed is ill meant.
func drawEvil(r *rand.Rand) ot.Delta {
	names := []string{"bold", "italic", "strike", "underline", "code", "script", "color", "background", "link", "header", "list", "indent", "align", "blockquote", "code-block", "table", "alt", "width", "height", "onclick", "style", `"><script>`}
	kinds := []string{"image", "video", "formula", "mention", "onclick", `"><script>`}
	some := func(of []string) string { return of[r.IntN(len(of))] }
	value := func() ot.Value {
		switch r.IntN(4) {
		case 0:
			return ot.Bool(true)
		case 1:
			return ot.Number(float64(r.IntN(9)))
		}
		return ot.Text(some(evil) + some([]string{"", "", some(evil)}))
	}
	var b ot.Builder
	for range 1 + r.IntN(30) {
		m := map[string]ot.Value{}
		for range r.IntN(4) {
			m[some(names)] = value()
		}
		switch a := made(m); r.IntN(5) {
		case 0:
			e, err := ot.NewEmbed(some(kinds), value())
			if err != nil {
				panic(err)
			}
			b.InsertEmbed(e, a)
		case 1, 2:
			b.Insert("\n", a)
		default:
			b.Insert(some(evil), a)
		}
	}
	d, err := b.Delta()
	if err != nil {
		panic(err)
	}
	return d
}

func TestNothingUnsafeIsWritten(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 5))
		d := drawEvil(r)
		if seed%2 == 0 {
			d = d.Concat(ottest.All().Document(r, 20))
		}
		page, err := HTML(d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if what := unsafe(page); what != "" {
			t.Fatalf("seed %d: %s in\n%s\nof %s", seed, what, page, d.JSON())
		}
		text, err := Markdown(d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if what := unsafe(rendered(t, text)); what != "" {
			t.Fatalf("seed %d: %s in\n%s\nof %s", seed, what, text, d.JSON())
		}
		for _, back := range []func() (ot.Delta, error){
			func() (ot.Delta, error) { return FromHTML([]byte(page), DefaultLimits()) },
			func() (ot.Delta, error) { return FromMarkdown([]byte(text), DefaultLimits()) },
		} {
			d, err := back()
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			holds(t, d)
		}
	}
}

// holds checks what is true of content that was read.
func holds(t testing.TB, d ot.Delta) {
	t.Helper()
	if _, err := ot.NewDocument(d, ot.DefaultLimits(), nil); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, op := range d.Ops() {
		text = op.Text()
		if at, ok := op.Attributes().Get("link"); ok && addressOf(str(at)) == "" {
			t.Fatalf("a link to %s", at.JSON())
		}
		if e := op.Embed(); e != nil && e.Type() != "formula" && pictureOf(str(e.Data())) == "" {
			t.Fatalf("the embed %s", e.JSON())
		}
	}
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("it ends with %q", text)
	}
}

// comesBack checks that what was read once stays what it is, written and read.
func comesBack(t *testing.T, d ot.Delta, write func(ot.Delta, int) (string, error), read func([]byte, Limits) (ot.Delta, error)) {
	holds(t, d)
	once, err := write(d, 1<<20)
	if err != nil {
		return // larger than may be read
	}
	back, err := read([]byte(once), DefaultLimits())
	if err != nil {
		return // likewise
	}
	if twice, err := write(back, 1<<20); err != nil || twice != once {
		t.Fatalf("%s\nis written\n%s\nand then\n%s\n%v", d.JSON(), once, twice, err)
	}
}

func seeds(f *testing.F, more ...string) {
	for _, s := range append(more, evil...) {
		f.Add(s)
	}
}

func FuzzFromMarkdown(f *testing.F) {
	seeds(f, "# a\n- b\n  1. [ ] c\n\n> d **e _f_** ~~g~~ `h`\n\n```go\ni\n```\n\n| j | k |\n|:-:|--|\n| l\\|m | `n` |\n\n<u>o</u>$`p`$ ![q](http://r) <br>\n[s]: http://t\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := FromMarkdown([]byte(text), DefaultLimits()); err == nil {
			comesBack(t, d, Markdown, FromMarkdown)
		}
	})
}

func FuzzFromHTML(f *testing.F) {
	seeds(f, `<h1>a</h1><ul><li>b<ol><li>c</ol></ul><pre>d<code>e</code></pre><table><tr><td>f<td><p>g</table><p style="white-space:pre">  h<br></p><li>i<input type=checkbox><b><i>j</b>k</i><img src="http://l">`)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := FromHTML([]byte(text), DefaultLimits()); err == nil {
			comesBack(t, d, HTML, FromHTML)
		}
	})
}
