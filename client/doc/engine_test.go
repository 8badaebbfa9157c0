package doc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// The TypeScript client (web/sdk) is held to this one by recordings, in both directions: what is recorded here is played there, and what is
// recorded there is played here. Both sides write the same text. Recordings of other seeds, and more of them, go to a folder of their own:
//
//	go test ./doc -run Recorded -recordings.seed 7 -recordings.rounds 5000 -recordings.to /tmp/go
//	go test ./doc -run Typescript -recordings.from /tmp/typescript
var (
	update          = flag.Bool("update", false, "write the recordings for the TypeScript client anew, to be read in the diff")
	recordingSeed   = flag.Uint64("recordings.seed", 1, "of the recordings")
	recordingRounds = flag.Int("recordings.rounds", 0, "how many cases, or sessions; 0: as many as are committed")
	recordingsTo    = flag.String("recordings.to", "", "a folder to record to, instead of comparing with testdata")
	recordingsFrom  = flag.String("recordings.from", "testdata/typescript", "a folder of recordings of the TypeScript client to play")
)

// question is one to the engine, and its answer. Deltas are texts, so that both sides are held to the bytes.
type question struct {
	F        string   `json:"f"`
	A        string   `json:"a,omitempty"`
	B        string   `json:"b,omitempty"`
	List     []string `json:"list,omitempty"`
	Priority bool     `json:"priority,omitempty"`
	At       int      `json:"at,omitempty"`
	To       int      `json:"to,omitempty"`
	Effort   int      `json:"effort,omitempty"`

	Want  string   `json:"want,omitempty"`
	After []string `json:"after,omitempty"`
	Ints  []int    `json:"ints,omitempty"`
	Fails *failure `json:"fails,omitempty"`
}

// failure is an *ot.Error.
type failure struct {
	Kind ot.Kind `json:"kind"`
	Op   int     `json:"op"`
}

// small are limits that short cases reach.
var small = ot.Limits{OperationBytes: 600, Ops: 8, DocumentUnits: 40, Embeds: 3, EmbedBytes: 60, AttributeBytes: 50, DocumentFormat: 1 << 20, Depth: 3}

// answer asks the engine.
func (q question) answer() question {
	q.Want, q.After, q.Ints, q.Fails = "", nil, nil, nil
	err := q.ask()
	if e, ok := errors.AsType[*ot.Error](err); ok {
		q.Want, q.After, q.Ints, q.Fails = "", nil, nil, &failure{e.Kind, e.Op}
	} else if err != nil {
		panic(err)
	}
	return q
}

func (q *question) ask() error {
	limits, embeds := ot.Unlimited(), ottest.Embeds()
	if q.F == "parse" || q.F == "limits" {
		limits = small
	}
	a, err := ot.Parse([]byte(q.A), limits)
	if err != nil || q.F == "parse" {
		q.Want = a.JSON()
		return err
	}
	var b ot.Delta
	if q.B != "" {
		if b, err = ot.Parse([]byte(q.B), ot.Unlimited()); err != nil {
			return err
		}
	}
	var list []ot.Delta
	for _, text := range q.List {
		d, err := ot.Parse([]byte(text), ot.Unlimited())
		if err != nil {
			return err
		}
		list = append(list, d)
	}
	var d ot.Delta
	switch q.F {
	case "compose":
		d, err = a.Compose(b, embeds)
	case "composeAll":
		d, err = ot.ComposeAll(list, embeds)
	case "transform":
		d, err = a.Transform(b, q.Priority, embeds)
	case "invert":
		d, err = a.Invert(b, embeds)
	case "rebase":
		var after []ot.Delta
		d, after, err = ot.Rebase(a, list, embeds)
		for _, e := range after {
			q.After = append(q.After, e.JSON())
		}
	case "diff":
		d, err = a.Diff(b, q.Effort)
	case "slice":
		d, err = a.Slice(q.At, q.To)
	case "concat":
		d = a.Concat(b)
	case "normal":
		d = a.Normal()
	case "position":
		q.Ints = []int{a.TransformPosition(q.At, q.Priority)}
		return nil
	case "length":
		q.Ints = []int{a.Length(), a.ChangeLength(), a.BaseLength()}
		return nil
	case "apply", "limits":
		return q.apply(a, list, limits, embeds)
	default:
		return fmt.Errorf("unknown question %q", q.F)
	}
	q.Want = d.JSON()
	return err
}

// apply has a document go through changes, and asks all that a document can tell of itself.
func (q *question) apply(content ot.Delta, changes []ot.Delta, limits ot.Limits, embeds ot.Embeds) error {
	d, err := ot.NewDocument(content, limits, embeds)
	if err != nil {
		return err
	}
	for _, change := range changes {
		if q.F == "limits" {
			if err := change.Check(limits); err != nil {
				return err
			}
		}
		back, err := d.Invert(change)
		if err != nil {
			return err
		}
		if err := d.Apply(change); err != nil {
			return err
		}
		q.After = append(q.After, back.JSON())
	}
	hash := d.Hash()
	part, err := d.Slice(q.At, q.To)
	q.After = append(q.After, string(d.AppendJSON(nil)), part.JSON())
	q.Want, q.Ints = hex.EncodeToString(hash[:]), []int{d.Len(), d.Embeds()}
	return err
}

// Every answer of the engine is the one that was recorded for the TypeScript client.
func TestRecordedEngine(t *testing.T) {
	rounds := *recordingRounds
	if rounds == 0 {
		rounds = 40
	}
	var out []question
	if *recordingsTo == "" {
		out = byHand()
	}
	r := rand.New(rand.NewPCG(*recordingSeed, 1))
	for range rounds {
		out = append(out, random(r)...)
	}
	recorded(t, "engine/go.json", out)
}

// The TypeScript engine answers as this one.
func TestTypescriptEngine(t *testing.T) {
	var questions []question
	recording(t, "engine.json", &questions)
	for _, q := range questions {
		if got, want := mustJSON(q.answer()), mustJSON(q); got != want {
			t.Fatalf("recorded is\n%s\nhere it is\n%s", want, got)
		}
	}
	t.Logf("%d answers agree", len(questions))
}

// recorded compares lines with a file of testdata, or writes them.
func recorded[T any](t *testing.T, name string, lines []T) {
	t.Helper()
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = mustJSON(line)
	}
	got := []byte("[\n" + strings.Join(texts, ",\n") + "\n]\n")
	file := filepath.Join("testdata", name)
	if *recordingsTo != "" {
		file = filepath.Join(*recordingsTo, filepath.Base(name))
	}
	if *update || *recordingsTo != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	before := bytes.Split(want, []byte("\n"))
	for i, line := range bytes.Split(got, []byte("\n")) {
		if i >= len(before) || !bytes.Equal(line, before[i]) {
			t.Fatalf("line %d of %s is out of date (go test ./doc -update shows it in the diff): now it is\n%s", i+1, file, line)
		}
	}
	t.Fatalf("%s has more lines than are recorded now", file)
}

// recording reads a file that the TypeScript client recorded.
func recording(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(*recordingsFrom, name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func mustJSON(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// random asks a question of each kind about random Deltas.
func random(r *rand.Rand) []question {
	m := ottest.Mix{Unicode: r.IntN(3) > 0, Attributes: r.IntN(3) > 0, Nested: r.IntN(2) == 0, Nulls: r.IntN(2) == 0, Embeds: r.IntN(2) == 0, Notes: r.IntN(4) == 0}
	base := m.Document(r, r.IntN(6))
	a, b := m.Change(r, base, r.IntN(6)), m.Change(r, base, r.IntN(6))
	embeds := ottest.Embeds()
	var texts []string
	content, changes := base, 1+r.IntN(5)
	for range changes {
		change := m.Change(r, content, r.IntN(4))
		texts = append(texts, change.JSON())
		content = must(content.Compose(change, embeds))
	}
	priority, at, length := r.IntN(2) == 0, r.IntN(base.Length()+2), a.Length()
	from := r.IntN(length + 2)
	loose := loosened(r, a)
	questions := []question{
		{F: "parse", A: spoiled(r, a.JSON())},
		{F: "parse", A: spoiled(r, base.JSON())},
		{F: "compose", A: base.JSON(), B: a.JSON()},
		{F: "compose", A: loose, B: must(a.Transform(b, ot.Earlier, embeds)).JSON()},
		{F: "compose", A: base.JSON(), B: shifted(r, a)},
		{F: "composeAll", A: "[]", List: append([]string{base.JSON()}, texts...)},
		{F: "transform", A: a.JSON(), B: b.JSON(), Priority: priority},
		{F: "transform", A: loose, B: loosened(r, b), Priority: !priority},
		{F: "position", A: a.JSON(), At: at, Priority: priority},
		{F: "invert", A: a.JSON(), B: base.JSON()},
		{F: "invert", A: shifted(r, a), B: base.JSON()},
		{F: "rebase", A: b.JSON(), List: texts},
		{F: "slice", A: a.JSON(), At: from, To: from + r.IntN(length+2)},
		{F: "concat", A: loose, B: b.JSON()},
		{F: "normal", A: loose},
		{F: "length", A: a.JSON()},
		{F: "apply", A: base.JSON(), List: texts, At: r.IntN(content.Length() + 1), To: r.IntN(content.Length() + 3)},
		{F: "apply", A: base.JSON(), List: []string{shifted(r, a), b.JSON()}, To: 5},
		{F: "limits", A: base.JSON(), List: texts, To: 3},
		{F: "diff", A: base.JSON(), B: content.JSON()},
		{F: "diff", A: base.JSON(), B: m.Document(r, r.IntN(12)).JSON(), Effort: r.IntN(60)},
		{F: "diff", A: letters(r), B: letters(r)},
	}
	for i, q := range questions {
		questions[i] = q.answer()
	}
	return questions
}

// loosened is a Delta's JSON, with its operations cut in two here and there.
func loosened(r *rand.Rand, d ot.Delta) string {
	parts, at := []string{}, 0
	for _, op := range d.Ops() {
		for left := op.Len(); left > 0; {
			n := 1 + r.IntN(left)
			if part, err := d.Slice(at, at+n); err == nil { // not within a surrogate pair
				parts = append(parts, strings.TrimSuffix(strings.TrimPrefix(part.JSON(), `{"ops":[`), `]}`))
				at, left = at+n, left-n
			}
		}
	}
	return `{"ops":[` + strings.Join(parts, ",") + `]}`
}

// shifted is a change that begins elsewhere, so that it may cut a pair or go past the end.
func shifted(r *rand.Rand, d ot.Delta) string {
	return must(new(ot.Builder).Retain(1+r.IntN(3), nil).Delta()).Concat(d).JSON()
}

// spoiled is a text with something wrong in it, perhaps.
func spoiled(r *rand.Rand, text string) string {
	for range r.IntN(3) {
		at := r.IntN(len(text))
		for at > 0 && text[at]&0xC0 == 0x80 {
			at--
		}
		more := []string{`"`, `{`, `}`, `]`, `,`, `:`, `\`, `\ud83d`, `\ude00`, `\u0061`, `0`, `-`, `.5`, `e2`, ` `, "\n", "\t\x01", `null`, `[[[[`, `"insert":"x",`, `"x":1,`, `1e400`, `__proto__`, "\u2028", "😀", `"attributes":{},`}
		text = text[:at] + more[r.IntN(len(more))] + strings.TrimLeft(text[at:], []string{"", "", text[at : at+1]}[r.IntN(3)])
	}
	return strings.ToValidUTF8(text, "?")
}

// letters is a text of few characters: many differences of the same size, and much to clean up.
func letters(r *rand.Rand) string {
	alphabet := []rune([]string{"ab", "aab  .\n", "ab\r\n\n\n", "😀😁🤀a", "abcdefgh 😀"}[r.IntN(5)])
	text := make([]rune, 1+r.IntN(50))
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return insert(0, string(text)).JSON()
}

// byHand are questions that chance would hardly ask.
func byHand() []question {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	var out []question
	for _, text := range []string{
		``, `null`, `{}`, `{"ops":[]`, `{"ops":[],"ops":[]}`, `[{}]`, `[{"insert":"a"},]`, `[{"insert":""}]`, `[{"retain":0}]`, `[{"retain":-0}]`, `[{"retain":1.5}]`,
		`[{"retain":2147483648}]`, `[{"retain":2147483647}]`, `[{"retain":1e2},{"delete":3.0}]`, `[{"retain":01}]`, `[{"retain":1e999}]`, `[{"retain":1e-999}]`,
		`[{"insert":"a","insert":"b"}]`, `[{"delete":1,"attributes":{}}]`, `[{"delete":1,"attributes":{"a":1}}]`, `[{"retain":{"a":1,"b":2}}]`, `[{"insert":{"":1}}]`,
		`[{"insert":{"b":1,"a":2}}]`, `[{"insert":{}}]`, `[{"insert":"a","attributes":null}]`, `[{"insert":"a","attributes":{}}]`, `[{"insert":"a","attributes":{"a":1,"\u0061":2}}]`,
		`[{"insert":"\ud83d\ude00\u007f\u2028\u0001\b\"\\\/"}]`, `[{"insert":"\ud83d"}]`, `[{"insert":"\ude00\ud83d"}]`, `[{"insert":"\ud83d\u0041"}]`, `[{"insert":"\ud83d😀"}]`,
		`[{"retain":1,"attributes":{"x":null,"` + "\uE000" + `":1,"😀":2,"10":1,"9":2,"":3}}]`, `[{"insert":{"n":[1e21,1e-7,123456789012345680000,-0,0.000001,9007199254740993]}}]`,
		`[{"insert":"a","attributes":{"__proto__":1}}]`, `[{"insert":"a","attributes":{"a":` + deep(3) + `}}]`, `[{"insert":"a","attributes":{"a":` + deep(4) + `}}]`,
		`[{"insert":{"a":` + deep(2) + `}}]`, `[{"insert":{"a":` + deep(3) + `}}]`, `[{"insert":{"a":"` + strings.Repeat("é", 25) + `"}}]`, `[{"insert":{"a":"` + strings.Repeat("é", 27) + `"}}]`,
		`[{"insert":"a","attributes":{"a":"` + strings.Repeat("😀", 10) + `"}}]`, `[{"insert":"a","attributes":{"a":"` + strings.Repeat("😀", 11) + `"}}]`,
		`[` + strings.Repeat(`{"delete":1},`, 7) + `{"delete":1}]`, `[` + strings.Repeat(`{"delete":1},`, 8) + `{"delete":1}]`, `[{"insert":"` + strings.Repeat("x", 600) + `"}]`, ` [ ] `,
	} {
		out = append(out, question{F: "parse", A: text})
	}
	numbers := `[{"insert":"a","attributes":{"10":{"2":1,"10":2,"a":3},"9":1,"-1":2,"01":3,"4294967295":4}},{"insert":{"7":[{"b":1,"1":2}]}}]`
	note := `{"ops":[{"insert":{"note":{"ops":[{"insert":"ab"}]}}},{"insert":{"image":1}},{"insert":"x😀"}]}`
	out = append(out,
		question{F: "apply", A: numbers, List: []string{`[{"retain":1,"attributes":{"9":null,"10":{"10":1,"2":[]}}}]`}, To: 9},
		question{F: "apply", A: `[]`}, question{F: "apply", A: `[{"retain":1}]`}, question{F: "apply", A: `[{"insert":"ab"}]`, List: []string{`[{"delete":2}]`}, To: 9},
		question{F: "apply", A: note, List: []string{`[{"retain":{"note":{"ops":[{"insert":"!"}]}}}]`}, To: 9},
		question{F: "apply", A: note, List: []string{`[{"retain":1},{"retain":{"note":{"ops":[]}}}]`}}, question{F: "apply", A: note, List: []string{`[{"retain":1},{"retain":{"image":1}}]`}},
		question{F: "apply", A: note, List: []string{`[{"retain":{"note":{"ops":[{"retain":9}]}}}]`}}, question{F: "apply", A: note, List: []string{`[{"retain":3},{"delete":1}]`}},
		question{F: "apply", A: note, List: []string{`[{"retain":2},{"retain":{"note":{"ops":[]}}}]`}}, question{F: "apply", A: note, List: []string{`[{"retain":5},{"insert":"x"},{"delete":1}]`}},
		question{F: "slice", A: note, At: 4, To: 4}, question{F: "slice", A: note, At: 3, To: 4}, question{F: "apply", A: note, At: 4, To: 4}, question{F: "apply", A: note, At: 3, To: 4}, question{F: "compose", A: `[{"retain":{"note":{"ops":[{"insert":"x"}]}}}]`, B: `[{"retain":1,"attributes":{"bold":null}}]`},
		question{F: "compose", A: `[{"insert":"😀"}]`, B: `[{"retain":1},{"insert":"x"}]`}, question{F: "invert", A: `[{"retain":9}]`, B: `[{"insert":"x"}]`},
		question{F: "invert", A: `[{"retain":1,"attributes":{"a":{"b":1}}}]`, B: `[{"insert":"x","attributes":{"a":{"b":1}}}]`}, question{F: "invert", A: `[]`, B: `[{"retain":1}]`},
		question{F: "rebase", A: `[{"retain":1},{"insert":"P"}]`, List: []string{`[{"retain":2},{"insert":"X"}]`, `[{"retain":1},{"delete":1}]`}},
		question{F: "diff", A: `[{"insert":"x😁"}]`, B: `[{"insert":"x😀😁"}]`}, question{F: "diff", A: `[{"retain":1}]`, B: `[]`}, question{F: "composeAll", A: "[]"},
		question{F: "limits", A: `[{"insert":"` + strings.Repeat("x", 40) + `"}]`, List: []string{`[{"insert":"y"},{"delete":2}]`, `[{"insert":"y"}]`, `[{"insert":"z"}]`}},
		question{F: "limits", A: `[{"insert":"x","attributes":{"a":"` + strings.Repeat("a", 30) + `"}}]`, List: []string{`[{"retain":1,"attributes":{"b":"` + strings.Repeat("a", 30) + `"}}]`}},
		question{F: "limits", A: `[{"insert":{"a":1}},{"insert":{"a":2}},{"insert":{"a":3}}]`, List: []string{`[{"insert":{"b":1}},{"retain":1},{"delete":1}]`, `[{"insert":{"b":1}}]`}},
		question{F: "limits", A: `[]`, List: []string{`[{"insert":"x","attributes":{"a":[[[[]]]]}}]`}}, question{F: "limits", A: `[]`, List: []string{`[{"insert":"` + strings.Repeat("\\u0001", 110) + `"}]`}},
	)
	for i, q := range out {
		out[i] = q.answer()
	}
	return out
}
