package ot_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

var (
	seed   = flag.Uint64("ot.seed", 1, "of the random cases")
	rounds = flag.Int("ot.rounds", 250, "random cases of each mix and question of the cross-check")
)

// oracle collects questions for quill-delta, asks them all at once, and compares.
type oracle struct {
	t         *testing.T
	questions bytes.Buffer
	checks    []func(answer json.RawMessage, failure string)
	texts     []string
}

// ask adds a question; check gets the answer, or what was thrown.
func (o *oracle) ask(check func(answer json.RawMessage, failure string), f, format string, args ...any) {
	text := fmt.Sprintf(`{"f":%q,`+format+"}", append([]any{f}, args...)...)
	o.questions.WriteString(text + "\n")
	o.texts = append(o.texts, text)
	o.checks = append(o.checks, check)
}

// same wants that the answer is this very Delta.
func (o *oracle) same(ours ot.Delta, err error, f, format string, args ...any) {
	o.t.Helper()
	i := len(o.checks)
	o.ask(func(answer json.RawMessage, failure string) {
		if err != nil || failure != "" {
			o.t.Errorf("%s\n ours: %v\n theirs: %s", o.texts[i], err, failure)
		} else if theirs := parse(o.t, answer); !theirs.Equal(ours) {
			o.t.Errorf("%s\n ours:   %v\n theirs: %s", o.texts[i], ours, answer)
		}
	}, f, format, args...)
}

// value wants an answer that is no Delta.
func (o *oracle) value(ours any, f, format string, args ...any) {
	i := len(o.checks)
	o.ask(func(answer json.RawMessage, failure string) {
		theirs, err := ot.ParseValue(answer, 100)
		mine, _ := json.Marshal(ours)
		if s, ok := ours.(string); ok {
			mine = []byte(s)
		}
		if err != nil || theirs.JSON() != string(mine) {
			o.t.Errorf("%s\n ours:   %s\n theirs: %s%s", o.texts[i], mine, answer, failure)
		}
	}, f, format, args...)
}

// run asks. Node and the package have to be there: CI installs both, so that nothing is skipped.
func (o *oracle) run() {
	o.t.Helper()
	if _, err := os.Stat("oracle/node_modules/quill-delta/package.json"); err != nil {
		o.t.Fatal("quill-delta isn't installed: run .ci/node, as make test does, or npm ci in docs/ot/oracle")
	}
	cmd := exec.CommandContext(o.t.Context(), "node", "oracle/oracle.js")
	cmd.Stdin = &o.questions
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("node oracle/oracle.js (Node >= 20.19 has to be on the PATH: .ci/node installs it): %v\n%s", err, stderr.String())
	}
	lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if len(lines) != len(o.checks) {
		o.t.Fatalf("%d answers to %d questions", len(lines), len(o.checks))
	}
	for i, line := range lines {
		var reply struct {
			Answer json.RawMessage
			Error  string
		}
		if err := json.Unmarshal(line, &reply); err != nil {
			o.t.Fatal(err)
		}
		if o.checks[i](reply.Answer, reply.Error); o.t.Failed() {
			o.t.FailNow() // one case is enough to read
		}
	}
	o.t.Logf("%d answers agree", len(lines))
}

func parse(t testing.TB, data []byte) ot.Delta {
	t.Helper()
	d, err := ot.Parse(data, ot.DefaultLimits())
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return d
}

// delta parses a Delta that a test wrote.
func delta(t testing.TB, operations string) ot.Delta {
	t.Helper()
	return parse(t, []byte(operations))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var mixes = map[string]ottest.Mix{
	"plain":      {},
	"unicode":    {Unicode: true},
	"attributes": {Attributes: true},
	"nested":     {Attributes: true, Nested: true},
	"nulls":      {Attributes: true, Nulls: true},
	"embeds":     {Embeds: true, Attributes: true},
	"notes":      {Notes: true, Attributes: true, Unicode: true},
	"all":        ottest.All(),
}

func each(t *testing.T, test func(t *testing.T, m ottest.Mix, r *rand.Rand)) {
	for name, m := range mixes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, m, rand.New(rand.NewPCG(*seed, uint64(crc32.ChecksumIEEE([]byte(name))))))
		})
	}
}

// Everything that is computed from two Deltas is what the original computes.
func TestOracle(t *testing.T) {
	embeds := ottest.Embeds()
	each(t, func(t *testing.T, m ottest.Mix, r *rand.Rand) {
		o := &oracle{t: t}
		dropped := 0
		for range *rounds {
			base := m.Document(r, r.IntN(6))
			a, b := m.Change(r, base, r.IntN(6)), m.Change(r, base, r.IntN(6))
			after := must(base.Compose(a, embeds))
			next := m.Change(r, after, r.IntN(6))

			o.same(after, nil, "compose", `"a":%v,"b":%v`, base, a)
			composed, err := a.Compose(next, embeds)
			i := len(o.checks)
			o.ask(func(answer json.RawMessage, failure string) {
				if theirs := parse(t, answer); err != nil || failure != "" || !theirs.Equal(composed) {
					// Over an object retain the original drops nulls (TestNullsOverObjectRetain); then ours has to be what one after the other gives.
					if err == nil && failure == "" && hasObjectRetain(a) && strings.Contains(next.JSON(), "null") && must(base.Compose(composed, embeds)).Equal(must(after.Compose(next, embeds))) {
						dropped++
						return
					}
					t.Errorf("%s\n ours:   %v %v\n theirs: %s%s", o.texts[i], composed, err, answer, failure)
				}
			}, "compose", `"a":%v,"b":%v`, a, next)

			for _, priority := range []bool{ot.Earlier, ot.Later} {
				d, err := a.Transform(b, priority, embeds)
				o.same(d, err, "transform", `"a":%v,"b":%v,"priority":%v`, a, b, priority)
				at := r.IntN(base.Length() + 2)
				o.value(a.TransformPosition(at, priority), "position", `"a":%v,"at":%d,"priority":%v`, a, at, priority)
			}
			inverse, err := a.Invert(base, embeds)
			o.same(inverse, err, "invert", `"a":%v,"b":%v`, a, base)
			o.value(a.Length(), "length", `"a":%v`, a)
			o.value(a.ChangeLength(), "changeLength", `"a":%v`, a)

			from := r.IntN(a.Length() + 2)
			to := from + r.IntN(a.Length()+2)
			if part, err := a.Slice(from, to); err == nil {
				o.same(part, nil, "slice", `"a":%v,"from":%d,"to":%d`, a, from, to)
			}
			concat := a.Concat(b)
			o.ask(func(answer json.RawMessage, _ string) {
				if !parse(t, answer).Normal().Equal(concat) { // theirs is not normal where a delete meets inserts (TestConcatIsNormal)
					t.Errorf("concat of %v and %v\n ours:   %v\n theirs: %s", a, b, concat, answer)
				}
			}, "concat", `"a":%v,"b":%v`, a, b)
			loose := loosened(r, a)
			o.same(parse(t, []byte(loose)).Normal(), nil, "push", `"a":%s`, loose)
			if ours, err := parse(t, []byte(loose)).Compose(next, embeds); err != nil || !ours.Equal(composed) {
				t.Fatalf("compose of %s and %v: %v %v, not %v", loose, next, ours, err, composed)
			}
			ours, err := parse(t, []byte(loose)).Transform(parse(t, []byte(loosened(r, b))), ot.Earlier, embeds)
			if want := must(a.Transform(b, ot.Earlier, embeds)); err != nil || !ours.Equal(want) {
				t.Fatalf("transform of %v over %s: %v %v, not %v", b, loose, ours, err, want)
			}
			o.value(hexHash(t, after), "hash", `"a":%v`, after)
		}
		o.run()
		if dropped > 0 {
			t.Logf("the original dropped nulls over an object retain in %d cases", dropped)
		}
	})
}

func hexHash(t *testing.T, content ot.Delta) string {
	t.Helper()
	d, err := ot.NewDocument(content, ot.DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := d.Hash()
	return `"` + hex.EncodeToString(h[:]) + `"`
}

func hasObjectRetain(d ot.Delta) bool {
	for _, op := range d.Ops() {
		if op.Action() == ot.Retain && op.Embed() != nil {
			return true
		}
	}
	return false
}

// loosened is the JSON of a Delta that isn't in normal form: its operations are cut in two here and there.
func loosened(r *rand.Rand, d ot.Delta) string {
	var parts []string
	at := 0
	for _, op := range d.Ops() {
		for left := op.Len(); left > 0; {
			n := 1 + r.IntN(left)
			part, err := d.Slice(at, at+n)
			if err != nil {
				continue // not within a surrogate pair
			}
			parts = append(parts, strings.TrimSuffix(strings.TrimPrefix(part.JSON(), `{"ops":[`), `]}`))
			at, left = at+n, left-n
		}
	}
	return `{"ops":[` + strings.Join(parts, ",") + `]}`
}

// Differences are the original's, but that they never cut a surrogate pair.
func TestOracleDiff(t *testing.T) {
	each(t, func(t *testing.T, m ottest.Mix, r *rand.Rand) {
		o := &oracle{t: t}
		for range 2 * *rounds {
			a := m.Document(r, r.IntN(12))
			b := m.Document(r, r.IntN(12))
			if r.IntN(2) == 0 {
				b = must(a.Compose(m.Change(r, a, 1+r.IntN(6)), ottest.Embeds()))
			}
			o.diff(a, b)
		}
		o.run()
	})
}

// Texts of few characters have many differences of the same size, and much for the clean-up to do.
func TestOracleDiffTexts(t *testing.T) {
	for name, alphabet := range map[string]string{"two": "ab", "words": "aab  .\n", "lines": "ab\r\n\n\n", "pairs": "😀😁🤀a", "many": "abcdefgh 😀"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(*seed, uint64(crc32.ChecksumIEEE([]byte(name)))))
			letters := []rune(alphabet)
			random := func(n int) []rune {
				out := make([]rune, r.IntN(n+1))
				for i := range out {
					out[i] = letters[r.IntN(len(letters))]
				}
				return out
			}
			o := &oracle{t: t}
			for range 8 * *rounds {
				from, to := random(60), random(60)
				if r.IntN(3) > 0 { // parts of one text in another order, with some changed
					to = nil
					for range 1 + r.IntN(4) {
						at := r.IntN(len(from) + 1)
						to = append(append(to, from[at:at+r.IntN(len(from)-at+1)]...), random(6)...)
					}
				}
				o.diff(must(new(ot.Builder).Insert(string(from), nil).Delta()), must(new(ot.Builder).Insert(string(to), nil).Delta()))
			}
			o.run()
		})
	}
}

// diff compares the difference of two documents, unless the original's has halves of pairs (TestDiffKeepsPairsWhole): then ours has to be right.
func (o *oracle) diff(a, b ot.Delta) {
	o.t.Helper()
	ours, err := a.Diff(b, 0)
	if err != nil {
		o.t.Fatal(err)
	}
	if after, err := a.Compose(ours, nil); err != nil || !after.Equal(b.Normal()) {
		o.t.Fatalf("from %v to %v: %v gives %v, %v", a, b, ours, after, err)
	}
	o.ask(func(answer json.RawMessage, failure string) {
		theirs, err := ot.Parse(answer, ot.DefaultLimits())
		if err == nil {
			_, err = a.Compose(theirs, nil)
		}
		if err == nil && !theirs.Equal(ours) {
			o.t.Errorf("from %v to %v\n ours:   %v\n theirs: %s%s", a, b, ours, answer, failure)
		}
	}, "diff", `"a":%v,"b":%v`, a, b)
}

// Attributes alone, in all combinations of present, absent, null and nested.
func TestOracleAttributes(t *testing.T) {
	o := &oracle{t: t}
	r := rand.New(rand.NewPCG(*seed, 0))
	m := ottest.All()
	member := func(name string, a *ot.Attributes) string {
		if a == nil {
			return ""
		}
		return fmt.Sprintf(`,%q:%s`, name, a.JSON())
	}
	result := func(a *ot.Attributes) string {
		if a == nil {
			return "null"
		}
		return a.JSON()
	}
	for range 10 * *rounds {
		a, b := m.Formats(r, true), m.Formats(r, true)
		args := member("x", a) + member("y", b)
		for _, flag := range []bool{true, false} {
			o.value(result(a.Compose(b, flag)), "attributesCompose", `"keepNull":%v%s`, flag, args)
			o.value(result(a.Transform(b, flag)), "attributesTransform", `"priority":%v%s`, flag, args)
		}
		o.value(result(a.Diff(b)), "attributesDiff", `"f2":0%s`, args)
		o.value(a.Invert(b).JSON(), "attributesInvert", `"f2":0%s`, args)
	}
	o.run()
}
