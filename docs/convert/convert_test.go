package convert

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
)

var rewrite = flag.Bool("rewrite", false, "write the answers of testdata anew")

// Each file of testdata holds cases: a line "-- import markdown --" with what is read, or "-- export delta --" with a document, one operation a line;
// what follows it are the answers, each behind a line that begins with "==".
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := script(t, string(data))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(data) {
				t.Errorf("the answers have changed: go test ./convert -run Golden -rewrite, and look at the difference\n%s", got)
			}
		})
	}
}

// script is a script with its answers made anew.
func script(t *testing.T, text string) string {
	var out strings.Builder
	comment, cases, _ := strings.Cut("\n"+text, "\n-- ")
	out.WriteString(strings.TrimPrefix(comment, "\n") + "\n")
	for c := range strings.SplitSeq(cases, "\n-- ") {
		head, body, _ := strings.Cut(c, " --\n")
		body, _, _ = strings.Cut("\n"+body, "\n== ")
		body = strings.TrimPrefix(body, "\n")
		out.WriteString("-- " + head + " --\n" + body + "\n")
		given := strings.TrimSuffix(body, "\n") + "\n"
		switch head {
		case "import markdown":
			answer(&out, "delta", func() (string, error) { return listed(FromMarkdown([]byte(given), DefaultLimits())) })
		case "import html":
			answer(&out, "delta", func() (string, error) { return listed(FromHTML([]byte(given), DefaultLimits())) })
		case "export delta":
			d, err := ot.Parse([]byte("["+strings.Join(strings.Split(strings.TrimSpace(body), "\n"), ",")+"]"), ot.DefaultLimits())
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			answer(&out, "markdown", func() (string, error) { return Markdown(d, 1<<20) })
			answer(&out, "html", func() (string, error) { return HTML(d, 1<<20) })
			answer(&out, "text", func() (string, error) { return Text(d, 1<<20) })
		default:
			t.Fatalf("what is %q?", head)
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func answer(out *strings.Builder, name string, made func() (string, error)) {
	text, err := made()
	if err != nil {
		text = "error: " + err.Error() + "\n"
	}
	fmt.Fprintf(out, "== %s\n%s\n", name, text)
}

// listed is a document, one operation a line.
func listed(d ot.Delta, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, op := range d.Ops() {
		var one ot.Builder
		if op.Embed() != nil {
			one.InsertEmbed(op.Embed(), op.Attributes())
		} else {
			one.Insert(op.Text(), op.Attributes())
		}
		d, err := one.Delta()
		if err != nil {
			return "", err
		}
		b.WriteString(strings.TrimSuffix(strings.TrimPrefix(d.JSON(), `{"ops":[`), `]}`) + "\n")
	}
	return b.String(), nil
}
