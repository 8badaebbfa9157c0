package ot

import (
	"iter"
	"math"
	"slices"
	"strings"
)

// Attributes are the formats of an operation: names with JSON values. They are immutable; nil is the empty one.
//
// The algebra looks at the first level only, as the original does: a nested object is replaced as a whole.
type Attributes struct {
	list []member // Invariant: not empty, sorted, no key twice
	json string   // Invariant: canonical form of list, so that equal attributes have equal texts
}

// inherited says that every object of JavaScript has a name already: one of Object.prototype, in ECMAScript 2026. The original asks whether an object has a
// name by asking for its value, and so loses attributes of these; no name of an attribute may be one, on whichever level.
func inherited(name string) bool {
	switch name {
	case "constructor", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__", "__lookupSetter__", "isPrototypeOf",
		"propertyIsEnumerable", "toString", "valueOf", "__proto__", "toLocaleString":
		return true
	}
	return false
}

// NewAttributes makes attributes of names and values. A name has to be valid UTF-8, and none that is inherited.
func NewAttributes(values map[string]Value) (*Attributes, error) {
	list := make([]member, 0, len(values))
	for key, v := range values {
		if !validText(key) {
			return nil, errorf(BadText, NoOp, "the attribute %q is not UTF-8", key)
		}
		list = append(list, member{key, v})
	}
	slices.SortFunc(list, func(a, b member) int { return compareUnits(a.key, b.key) })
	a := made(list)
	return a, a.checkNames(NoOp)
}

// checkNames refuses names that are inherited, on whichever level.
func (a *Attributes) checkNames(op int) error {
	if a == nil {
		return nil
	}
	s := scanner{data: []byte(a.json), op: op, names: true}
	_, err := s.object(math.MaxInt)
	return err
}

// ParseAttributes reads attributes from a JSON object whose values nest no deeper than depth.
func ParseAttributes(data []byte, depth int) (*Attributes, error) {
	s := scanner{data: data, op: NoOp, names: true, deepest: depth}
	list, err := s.object(depth + 1)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	return made(list), nil
}

// made makes attributes of a sorted list, which it keeps.
func made(list []member) *Attributes {
	if len(list) == 0 {
		return nil
	}
	return &Attributes{list: list, json: string(appendObject(nil, list))}
}

// Equal compares; nested values too.
func (a *Attributes) Equal(b *Attributes) bool {
	return a == b || a != nil && b != nil && a.json == b.json
}

// Len is how many there are.
func (a *Attributes) Len() int {
	if a == nil {
		return 0
	}
	return len(a.list)
}

// All yields names and values, sorted.
func (a *Attributes) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if a == nil {
			return
		}
		for _, m := range a.list {
			if !yield(m.key, m.value) {
				return
			}
		}
	}
}

// Get looks a name up; null is a value.
func (a *Attributes) Get(name string) (Value, bool) {
	if a == nil {
		return Value{}, false
	}
	i, ok := slices.BinarySearchFunc(a.list, name, func(m member, name string) int { return compareUnits(m.key, name) })
	if !ok {
		return Value{}, false
	}
	return a.list[i].value, true
}

// JSON is the canonical text, {} for none.
func (a *Attributes) JSON() string {
	if a == nil {
		return "{}"
	}
	return a.json
}

// size is what they count against a limit.
func (a *Attributes) size() int {
	if a == nil {
		return 0
	}
	return len(a.json)
}

// merge goes through the names of both in order. The function sees the value of each side, or that it has none, and says what is to stand.
func (a *Attributes) merge(b *Attributes, choose func(a, b Value, inA, inB bool) (Value, bool)) *Attributes {
	var x, y []member
	if a != nil {
		x = a.list
	}
	if b != nil {
		y = b.list
	}
	out := make([]member, 0, len(x)+len(y))
	for len(x) > 0 || len(y) > 0 {
		order := 0
		switch {
		case len(y) == 0:
			order = -1
		case len(x) == 0:
			order = 1
		case x[0].key != y[0].key:
			order = compareUnits(x[0].key, y[0].key)
		}
		var key string
		var v, w Value
		if order <= 0 {
			key, v, x = x[0].key, x[0].value, x[1:]
		}
		if order >= 0 {
			key, w, y = y[0].key, y[0].value, y[1:]
		}
		if chosen, ok := choose(v, w, order <= 0, order >= 0); ok {
			out = append(out, member{key, chosen})
		}
	}
	return made(out)
}

// Compose is a, then b: b's values replace a's. A null of b removes; it is kept where it has to remove from what is composed later (keepNull:
// over a retain), and vanishes where the text itself is at hand. A null of a stays, as in the original.
func (a *Attributes) Compose(b *Attributes, keepNull bool) *Attributes {
	if b == nil {
		return a
	}
	if a == nil && (keepNull || !b.hasNull()) {
		return b
	}
	return a.merge(b, func(v, w Value, _, inB bool) (Value, bool) {
		if inB {
			return w, keepNull || !w.IsNull()
		}
		return v, true
	})
}

func (a *Attributes) hasNull() bool {
	return strings.Contains(a.json, "null") && slices.ContainsFunc(a.list, func(m member) bool { return m.value.IsNull() })
}

// Diff is what makes b of a: b's values where they differ, null where b has none.
func (a *Attributes) Diff(b *Attributes) *Attributes {
	if a.Equal(b) {
		return nil
	}
	return a.merge(b, func(v, w Value, inA, inB bool) (Value, bool) {
		return w, inA != inB || v != w
	})
}

// Invert is what takes a back, where it was applied to base. A nested object counts as changed even if it was set to an equal one, as in
// the original, which compares them by identity.
func (a *Attributes) Invert(base *Attributes) *Attributes {
	return a.merge(base, func(v, w Value, inA, inB bool) (Value, bool) {
		return w, inA && (!inB || v != w || v.composite()) // w is null where base has none
	})
}

// Transform is b as it is to be applied after a. With priority, a's values stay where both have one.
func (a *Attributes) Transform(b *Attributes, priority bool) *Attributes {
	if a == nil || b == nil || !priority {
		return b
	}
	return a.merge(b, func(_, w Value, inA, inB bool) (Value, bool) {
		return w, inB && !inA
	})
}
