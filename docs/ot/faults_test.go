package ot_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// What the original gets wrong, and what is done here instead. Each test asks the original, too: should it change its mind, we want to know.

// fault is a question to which the original has a known wrong answer.
func fault(t *testing.T, theirs, f, format string, args ...any) {
	t.Helper()
	o := &oracle{t: t}
	o.ask(func(answer json.RawMessage, failure string) {
		if got := string(answer) + failure; got != theirs {
			t.Errorf("the original answers %s, no longer %s: this test is out of date", got, theirs)
		}
	}, f, format, args...)
	o.run()
}

// Composed over an object retain, a null that removes an attribute is dropped, and the attribute stays.
func TestNullsOverObjectRetain(t *testing.T) {
	a := delta(t, `[{"retain":{"note":{"ops":[{"insert":"x"}]}}}]`)
	b := delta(t, `[{"retain":1,"attributes":{"bold":null}}]`)
	fault(t, `{"ops":[{"retain":{"note":{"ops":[{"insert":"x"}]}}}]}`, "compose", `"a":%v,"b":%v`, a, b)
	if got := must(a.Compose(b, nil)).JSON(); got != `{"ops":[{"attributes":{"bold":null},"retain":{"note":{"ops":[{"insert":"x"}]}}}]}` {
		t.Error(got)
	}
	base := delta(t, `[{"insert":{"note":{"ops":[]}},"attributes":{"bold":true}}]`)
	one := must(must(base.Compose(a, ottest.Embeds())).Compose(b, nil))
	other := must(base.Compose(must(a.Compose(b, nil)), ottest.Embeds()))
	if !one.Equal(other) || one.JSON() != `{"ops":[{"insert":{"note":{"ops":[{"insert":"x"}]}}}]}` {
		t.Error(one, other)
	}
}

// At an operation of no length the original's iterator takes all that is there: deleting nothing deletes everything.
func TestNoLength(t *testing.T) {
	fault(t, `{"ops":[]}`, "compose", `"a":{"ops":[{"insert":"abc"}]},"b":{"ops":[{"delete":0}]}`)
	for _, op := range []string{`{"insert":""}`, `{"retain":0}`, `{"delete":0}`, `{"retain":-1}`, `{"delete":-3}`, `{"retain":1.5}`} {
		wantKind(t, ot.BadLength, 1, `{"ops":[{"insert":"a"},`+op+`]}`)
	}
}

// A change that goes past the end of a document leaves a retain or a delete in it.
func TestPastTheEnd(t *testing.T) {
	base, change := delta(t, `[{"insert":"ab"}]`), delta(t, `[{"retain":5},{"insert":"c"}]`)
	fault(t, `{"ops":[{"insert":"ab"},{"retain":3},{"insert":"c"}]}`, "compose", `"a":%v,"b":%v`, base, change)
	d := must(ot.NewDocument(base, ot.DefaultLimits(), nil))
	wantError(t, ot.PastEnd, 0, d.Apply(change))
	wantError(t, ot.PastEnd, 0, second(change.Invert(base, nil)))
}

// A boundary within a surrogate pair cuts it, and both halves become U+FFFD once they are sent as UTF-8.
func TestSplitPair(t *testing.T) {
	base, change := delta(t, `[{"insert":"😀"}]`), delta(t, `[{"retain":1},{"insert":"x"}]`)
	fault(t, `{"ops":[{"insert":"\ud83dx\ude00"}]}`, "compose", `"a":%v,"b":%v`, base, change)
	wantError(t, ot.SplitPair, 0, second(base.Compose(change, nil)))
	wantError(t, ot.SplitPair, 0, must(ot.NewDocument(base, ot.DefaultLimits(), nil)).Apply(change))
	wantError(t, ot.SplitPair, 0, second(base.Slice(1, 2)))
	if empty, err := base.Slice(1, 1); err != nil || empty.Count() != 0 {
		t.Error(empty, err)
	}
	wantError(t, ot.SplitPair, 0, second(delta(t, `[{"delete":1}]`).Invert(base, nil)))
}

// The clean-up of a difference moves an edit into a surrogate pair: of two emoji with the same first half.
func TestDiffKeepsPairsWhole(t *testing.T) {
	a, b := delta(t, `[{"insert":"x😁"}]`), delta(t, `[{"insert":"x😀😁"}]`)
	fault(t, `{"ops":[{"retain":2},{"insert":"\ude00\ud83d"}]}`, "diff", `"a":%v,"b":%v`, a, b)
	if got := must(a.Diff(b, 0)).JSON(); got != `{"ops":[{"retain":1},{"insert":"😀"}]}` {
		t.Error(got)
	}
}

// Concatenation puts only the first operation where the normal form wants it.
func TestConcatIsNormal(t *testing.T) {
	a, b := delta(t, `[{"delete":1}]`), delta(t, `[{"insert":"a"},{"insert":"b","attributes":{"bold":true}}]`)
	fault(t, `{"ops":[{"insert":"a"},{"delete":1},{"attributes":{"bold":true},"insert":"b"}]}`, "concat", `"a":%v,"b":%v`, a, b)
	if got := a.Concat(b).JSON(); got != `{"ops":[{"insert":"a"},{"attributes":{"bold":true},"insert":"b"},{"delete":1}]}` {
		t.Error(got)
	}
}

// inherited are the names of Object.prototype.
var inherited = []string{"constructor", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__", "__lookupSetter__", "isPrototypeOf",
	"propertyIsEnumerable", "toString", "valueOf", "__proto__", "toLocaleString"}

// An attribute with a name that all objects inherit is lost as soon as another one is set. What is of such a name within a value or an embed stays, but
// __proto__, which is lost anywhere, or becomes the prototype of others. So no attribute has one, on any level, and what was taken before can be read.
func TestInheritedNames(t *testing.T) {
	o := &oracle{t: t}
	o.value(slices.Sorted(slices.Values(inherited)), "inherited", `"a":0`) // theirs are ours: should there be more one day, this fails
	o.run()
	for _, name := range inherited {
		text := fmt.Sprintf(`[{"insert":"a","attributes":{%q:1}}]`, name)
		fault(t, `{"ops":[{"insert":"a","attributes":{"b":1}}]}`, "compose", `"a":{"ops":%s},"b":{"ops":[{"retain":1,"attributes":{"b":1}}]}`, text)
		wantKind(t, ot.Malformed, 0, text)
		wantKind(t, ot.Malformed, 0, fmt.Sprintf(`[{"retain":1,"attributes":{"a":[{%q:null}]}}]`, name))
		for _, embed := range []string{`[{"insert":{%q:1}}]`, `[{"insert":{"a":{%q:1}}}]`} {
			text := fmt.Sprintf(embed, name)
			if name == "__proto__" {
				wantKind(t, ot.Malformed, 0, text)
				continue
			}
			change := delta(t, `[{"retain":1,"attributes":{"b":1}},{"insert":"x"}]`)
			o := &oracle{t: t}
			o.same(must(delta(t, text).Compose(change, nil)), nil, "compose", `"a":{"ops":%s},"b":%v`, text, change)
			o.same(must(delta(t, `[{"delete":1}]`).Invert(delta(t, text), nil)), nil, "invert", `"a":{"ops":[{"delete":1}]},"b":{"ops":%s}`, text)
			o.same(must(delta(t, text).Transform(delta(t, text), ot.Later, nil)), nil, "transform", `"a":{"ops":%s},"b":{"ops":%s},"priority":false`, text, text)
			o.run()
		}
		if name != "__proto__" {
			if d, err := ot.Parse([]byte(text), ot.Unlimited()); err != nil || d.JSON() != fmt.Sprintf(`{"ops":[{"attributes":{%q:1},"insert":"a"}]}`, name) {
				t.Errorf("what was taken before is read as %v, %v", d, err)
			}
		}
	}
}

// Transforming over a composition can differ from transforming over one after the other: why Rebase takes committed changes one by one. The original
// does the same; it is no fault, but a trap.
func TestWhyCommittedChangesAreNotComposed(t *testing.T) {
	committed := []ot.Delta{delta(t, `[{"retain":2},{"insert":"X"}]`), delta(t, `[{"retain":1},{"delete":1}]`)}
	change := delta(t, `[{"retain":1},{"insert":"P"}]`)
	one, _, err := ot.Rebase(change, committed, nil)
	if err != nil || one.JSON() != `{"ops":[{"retain":1},{"insert":"P"}]}` {
		t.Error(one, err)
	}
	if other := must(must(ot.ComposeAll(committed, nil)).Transform(change, ot.Earlier, nil)); other.JSON() != `{"ops":[{"retain":2},{"insert":"P"}]}` {
		t.Error(other)
	}
}

func second[T any](_ T, err error) error { return err }

func wantKind(t *testing.T, kind ot.Kind, op int, text string) {
	t.Helper()
	_, err := ot.Parse([]byte(text), ot.DefaultLimits())
	if err == nil {
		t.Errorf("%s was accepted", text)
		return
	}
	wantError(t, kind, op, err)
}

func wantError(t *testing.T, kind ot.Kind, op int, err error) {
	t.Helper()
	if e, ok := err.(*ot.Error); !ok || e.Kind != kind || e.Op != op || e.Text == "" { //nolint:errorlint // every error of the package is one
		t.Errorf("got %v; want %v at operation %d", err, kind, op)
	}
}
