package ot_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"plenum.internal/docs/ot"
)

// Everything that must be refused, with its number and the operation at fault.
func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 17) + strings.Repeat("]", 17)
	whole := ot.NoOp
	for _, c := range []struct {
		kind ot.Kind
		op   int
		text string
	}{
		{ot.Malformed, whole, ``},
		{ot.Malformed, whole, `null`},
		{ot.Malformed, whole, `"x"`},
		{ot.Malformed, whole, `{}`},
		{ot.Malformed, whole, `{"ops":[]`},
		{ot.Malformed, whole, `{"ops":null}`},
		{ot.Malformed, whole, `{"ops":[],"ops":[]}`},
		{ot.Malformed, whole, `{"ops":[],"x":1}`},
		{ot.Malformed, whole, `{"ops":[]} x`},
		{ot.Malformed, 1, `[{"insert":"a"},]`},
		{ot.Malformed, 0, `[{}]`},
		{ot.Malformed, 0, `[1]`},
		{ot.Malformed, 1, `[{"insert":"a"},{"insert":"b","delete":1}]`},
		{ot.Malformed, 0, `[{"insert":"a","insert":"b"}]`},
		{ot.Malformed, 0, `[{"attributes":{"a":1}}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{},"attributes":{}}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":null}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":[]}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{"a":1,"\u0061":2}}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{"a":{"b":1,"b":1}}}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{"constructor":1}}]`},
		{ot.Malformed, 0, `[{"retain":1,"attributes":{"valueOf":null}}]`},
		{ot.Malformed, 0, `[{"retain":1,"attributes":{"value\u004ff":null}}]`},
		{ot.Malformed, 1, `[{"delete":1},{"insert":{"a":1},"attributes":{"a":{"b":[1,{"toString":1}]}}}]`},
		{ot.Malformed, 0, `[{"insert":{"a":{"__proto__":1}}}]`},
		{ot.Malformed, 0, `[{"insert":"a","x":1}]`},
		{ot.Malformed, 0, `[{"Insert":"a"}]`},
		{ot.Malformed, 0, `[{"delete":1,"attributes":{"a":1}}]`},
		{ot.Malformed, 0, `[{"insert":null}]`},
		{ot.Malformed, 0, `[{"insert":1}]`},
		{ot.Malformed, 0, `[{"insert":[1]}]`},
		{ot.Malformed, 0, `[{"insert":{}}]`},
		{ot.Malformed, 0, `[{"insert":{"":1}}]`},
		{ot.Malformed, 0, `[{"retain":{"a":1,"b":2}}]`},
		{ot.Malformed, 0, `[{"retain":"1"}]`},
		{ot.Malformed, 0, `[{"delete":{"a":1}}]`},
		{ot.Malformed, 0, `[{"retain":01}]`},
		{ot.Malformed, 0, `[{"retain":+1}]`},
		{ot.Malformed, 0, `[{"retain":1.}]`},
		{ot.Malformed, 0, `[{"retain":.5}]`},
		{ot.Malformed, 0, `[{"retain":1e}]`},
		{ot.Malformed, 0, `[{"retain":1e999}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{"a":NaN}}]`},
		{ot.Malformed, 0, `[{"insert":"a","attributes":{"a":tru}}]`},
		{ot.Malformed, 0, "[{\"insert\":\"a\nb\"}]"},
		{ot.Malformed, 0, "[{\"insert\":\"\\t\nb\"}]"},
		{ot.Malformed, 0, `[{"insert":"\x"}]`},
		{ot.Malformed, 0, `[{"insert":"\u12"}]`},
		{ot.Malformed, 0, `[{"insert":"\u+123"}]`},
		{ot.Malformed, 0, `[{"insert":"a`},
		{ot.BadText, 0, `[{"insert":"\ud83d"}]`},
		{ot.BadText, 0, `[{"insert":"a\ud83d\u0041"}]`},
		{ot.BadText, 0, `[{"insert":"\ude00\ud83d"}]`},
		{ot.BadText, 0, `[{"insert":"\ud83dx"}]`},
		{ot.BadText, 1, `[{"retain":1},{"retain":1,"attributes":{"a":["\udead"]}}]`},
		{ot.BadText, 0, `[{"retain":1,"attributes":{"\udead":1}}]`},
		{ot.BadText, 0, `[{"insert":{"x":"\ud83d"}}]`},
		{ot.BadText, 0, "[{\"insert\":\"a\xff\"}]"},
		{ot.BadText, 0, "[{\"insert\":\"\\t\xff\"}]"},
		{ot.BadText, 0, "[{\"insert\":\"\xed\xa0\xbd\"}]"}, // a surrogate in UTF-8
		{ot.BadText, 0, "[{\"insert\":\"\xc0\x80\"}]"},
		{ot.BadLength, 0, `[{"insert":""}]`},
		{ot.BadLength, 0, `[{"retain":0}]`},
		{ot.BadLength, 0, `[{"retain":-0}]`},
		{ot.BadLength, 0, `[{"delete":-1}]`},
		{ot.BadLength, 0, `[{"retain":1.5}]`},
		{ot.BadLength, 0, `[{"retain":2147483648}]`},
		{ot.BadLength, 0, `[{"delete":1e300}]`},
		{ot.TooDeep, 0, `[{"insert":"a","attributes":{"a":` + deep + `}}]`},
		{ot.TooDeep, 0, `[{"insert":{"a":` + deep[1:33] + `}}]`},
		{ot.TooDeep, 0, `[{"insert":{"a":` + strings.Repeat("[", 500_000)},
		{ot.TooDeep, 0, `[{"insert":{"a":` + strings.Repeat(`{"a":`, 100_000)},
		{ot.TooLarge, 1, `[{"retain":1},{"retain":1,"attributes":{"a":"` + strings.Repeat("x", 8<<10) + `"}}]`},
		{ot.TooLarge, 0, `[{"insert":{"a":"` + strings.Repeat("x", 64<<10) + `"}}]`},
		{ot.TooLarge, 1 << 16, `[` + strings.Repeat(`{"delete":1},`, 1<<16) + `{"delete":1}]`},
		{ot.TooLarge, whole, `[{"insert":"` + strings.Repeat("x", 1<<20) + `"}]`},
	} {
		_, err := ot.Parse([]byte(c.text), ot.DefaultLimits())
		if err == nil {
			t.Errorf("%.100s was accepted", c.text)
			continue
		}
		if e, ok := err.(*ot.Error); !ok || e.Kind != c.kind || e.Op != c.op { //nolint:errorlint // every error of the package is one
			t.Errorf("%.100s: got %v; want %v at %d", c.text, err, c.kind, c.op)
		}
	}
}

// What is accepted, and how it is written: as JSON.stringify does, with sorted keys.
func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		` [ ] `:                      `{"ops":[]}`,
		`{"ops" : [{"insert":"a"}]}`: `{"ops":[{"insert":"a"}]}`,
		`[{"retain":1e2},{"delete":3.0},{"retain":2147483647}]`:                                  `{"ops":[{"retain":100},{"delete":3},{"retain":2147483647}]}`,
		`[{"insert":"a","attributes":{}}]`:                                                       `{"ops":[{"insert":"a"}]}`,
		`[{"insert":"\u0061\/\ud83d\ude00\u007f\u2028\u0001\b\"\\"}]`:                            `{"ops":[{"insert":"a/😀` + "\u007f\u2028" + `\u0001\b\"\\"}]}`,
		`[{"insert":"a","attributes":{"b":1,"a":{"d":null,"c":[true,1.50]}}}]`:                   `{"ops":[{"attributes":{"a":{"c":[true,1.5],"d":null},"b":1},"insert":"a"}]}`,
		`[{"retain":1,"attributes":{"x":null,"` + "\uE000" + `":1,"😀":2}}]`:                      `{"ops":[{"attributes":{"x":null,"😀":2,"` + "\uE000" + `":1},"retain":1}]}`, // by UTF-16
		`[{"insert":{"n":[1e21,1e-7,123456789012345680000,-0,0.000001,1e+2,9007199254740993]}}]`: `{"ops":[{"insert":{"n":[1e+21,1e-7,123456789012345680000,0,0.000001,100,9007199254740992]}}]}`,
		`[{"insert":{"b":1,"a":2}}]`:                                                             `{"ops":[{"insert":{"a":2,"b":1}}]}`,
		`[{"insert":"a"},{"insert":"b"},{"delete":1},{"insert":"c"}]`:                            `{"ops":[{"insert":"a"},{"insert":"b"},{"delete":1},{"insert":"c"}]}`, // as it came
	} {
		d, err := ot.Parse([]byte(text), ot.DefaultLimits())
		if err != nil || d.JSON() != want {
			t.Errorf("%s is %v, %v; want %s", text, d, err, want)
		}
	}
}

// Limits hold exactly: what is as large as allowed is taken.
func TestAtTheLimit(t *testing.T) {
	l := ot.DefaultLimits()
	for _, text := range []string{
		`[{"insert":"` + strings.Repeat("x", l.OperationBytes-15) + `"}]`,
		`[{"retain":1,"attributes":{"a":"` + strings.Repeat("x", l.AttributeBytes-8) + `"}}]`,
		`[{"insert":{"a":"` + strings.Repeat("x", l.EmbedBytes-8) + `"}}]`,
		`[{"insert":{"a":` + strings.Repeat("[", l.Depth-1) + strings.Repeat("]", l.Depth-1) + `}}]`,
		`[{"insert":"x","attributes":{"a":` + strings.Repeat("[", l.Depth) + strings.Repeat("]", l.Depth) + `}}]`,
		`[` + strings.Repeat(`{"delete":1},`, l.Ops-1) + `{"delete":1}]`,
	} {
		d, err := ot.Parse([]byte(text), l)
		if err == nil && len(text) < l.OperationBytes-10 { // canonical JSON of a Delta takes 8 more
			err = d.Check(l)
		}
		if err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// Check refuses what Parse would.
func TestCheck(t *testing.T) {
	l := ot.DefaultLimits()
	nested := func(n int) ot.Value {
		return must(ot.ParseValue([]byte(strings.Repeat("[", n)+strings.Repeat("]", n)), n))
	}
	attributes := func(v ot.Value) *ot.Attributes { return must(ot.NewAttributes(map[string]ot.Value{"a": v})) }
	many := new(ot.Builder)
	for range l.Ops {
		many.Delete(1).Retain(1, nil)
	}
	for _, c := range []struct {
		kind ot.Kind
		op   int
		d    *ot.Builder
	}{
		{ot.TooDeep, 1, new(ot.Builder).Delete(1).Retain(1, attributes(nested(17)))},
		{ot.TooDeep, 0, new(ot.Builder).InsertEmbed(must(ot.NewEmbed("a", nested(16))), nil)},
		{ot.TooLarge, 0, new(ot.Builder).Insert("x", attributes(ot.Text(strings.Repeat("x", l.AttributeBytes))))},
		{ot.TooLarge, 0, new(ot.Builder).InsertEmbed(must(ot.NewEmbed("a", ot.Text(strings.Repeat("x", l.EmbedBytes)))), nil)},
		{ot.TooLarge, ot.NoOp, new(ot.Builder).Insert(strings.Repeat("\x01", l.OperationBytes/6), nil)},
		{ot.TooLarge, ot.NoOp, many},
		{ot.BadLength, 0, new(ot.Builder).Delete(ot.MaxLength).Delete(1)},
	} {
		wantError(t, c.kind, c.op, must(c.d.Delta()).Check(l))
	}
	wantError(t, ot.BadText, 0, second(new(ot.Builder).Insert("\xff", nil).Delta()))
	wantError(t, ot.BadLength, 1, second(new(ot.Builder).Insert("x", nil).Retain(-1, nil).Delta()))
	wantError(t, ot.BadLength, 0, second(new(ot.Builder).Delete(ot.MaxLength+1).Delta()))
	wantError(t, ot.BadText, ot.NoOp, second(ot.NewAttributes(map[string]ot.Value{"\xff": {}})))
	wantError(t, ot.Malformed, ot.NoOp, second(ot.NewAttributes(map[string]ot.Value{"__proto__": {}})))
	wantError(t, ot.Malformed, ot.NoOp, second(ot.NewAttributes(map[string]ot.Value{"constructor": {}})))
	wantError(t, ot.Malformed, ot.NoOp, second(ot.NewAttributes(map[string]ot.Value{"a": must(ot.ParseValue([]byte(`[{"toString":1}]`), 2))})))
	wantError(t, ot.Malformed, ot.NoOp, second(ot.ParseAttributes([]byte(`{"a":{"valueOf":1}}`), 1)))
	stored := must(ot.Parse([]byte(`[{"delete":1},{"insert":"x","attributes":{"a":{"valueOf":1}}}]`), ot.Unlimited()))
	wantError(t, ot.Malformed, 1, stored.Check(l))
	if err := stored.Check(ot.Unlimited()); err != nil {
		t.Error(err)
	}
	wantError(t, ot.Malformed, ot.NoOp, second(ot.NewEmbed("", ot.Value{})))
	wantError(t, ot.NotDocument, 1, second(ot.NewDocument(delta(t, `[{"insert":"x"},{"retain":1}]`), l, nil)))
	wantError(t, ot.NotDocument, ot.NoOp, second(ot.Delta{}.Invert(delta(t, `[{"retain":1}]`), nil)))
	wantError(t, ot.NotDocument, 0, second(ot.Delta{}.Diff(delta(t, `[{"retain":1}]`), 0)))
}

// FuzzParse: whatever comes, Parse doesn't panic; what it takes is within the limits, is JSON to others, and comes back from its canonical text.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"ops":[{"insert":"a\ud83d\ude00","attributes":{"b":{"c":[1,null,"d"]}}},{"retain":3},{"delete":2}]}`,
		`[{"retain":{"note":{"ops":[]}},"attributes":{"bold":null}},{"insert":{"image":"x"}}]`,
		`{"ops":[{"insert":"\ud83d"}]}`, `{"ops":[{"retain":0}]}`, `[{"insert":{"a":[[[[[[]]]]]]}}]`, `[{"retain":1e2,"attributes":{"a":-0.0e-0}}]`,
		"[{\"insert\":\"\xed\xa0\x80\"}]", `{"ops":[{"insert":"a","insert":"b"}]}`, "\u2028", `{"\u006fps":[]}`,
	} {
		f.Add([]byte(text))
	}
	limits := ot.Limits{OperationBytes: 500, Ops: 5, DocumentUnits: 300, Embeds: 3, EmbedBytes: 50, AttributeBytes: 60, DocumentFormat: 100, Depth: 4}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ot.Parse(data, limits)
		if err != nil {
			if e, ok := err.(*ot.Error); !ok || e.Kind == 0 || e.Text == "" || e.Op < ot.NoOp || e.Op > limits.Ops { //nolint:errorlint // every error of the package is one
				t.Fatalf("%#v", err)
			}
			return
		}
		if !utf8.Valid(data) || !json.Valid(data) {
			t.Fatal("not JSON, but accepted")
		}
		canonical := d.AppendJSON(nil)
		loose := limits
		loose.OperationBytes = 6*len(data) + 20 // its characters may be escaped
		again, err := ot.Parse(canonical, loose)
		if err != nil || !again.Equal(d) || !bytes.Equal(again.AppendJSON(nil), canonical) {
			t.Fatalf("%s became %s, %v", data, canonical, err)
		}
		if err := d.Check(loose); err != nil {
			t.Fatal(err)
		}
		if document, err := ot.NewDocument(d, limits, nil); err == nil {
			if err := document.Verify(); err != nil || !document.Delta().Equal(d.Normal()) {
				t.Fatalf("%s became %v, %v", data, document.Delta(), err)
			}
		}
	})
}
