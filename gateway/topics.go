package gateway

import (
	"iter"
	"maps"
	"slices"
)

// topics are a session's subscriptions by the topic as the client names it. Most have one or two, for which a map takes ten times the room.
type topics struct {
	few  []*subscription
	many map[string]*subscription // nil while there are at most fewTopics
}

const fewTopics = 8

func (t *topics) get(name string) *subscription {
	if t.many != nil {
		return t.many[name]
	}
	for _, x := range t.few {
		if x.topic == name {
			return x
		}
	}
	return nil
}

// set takes a subscription in, in the place of another to the same topic.
func (t *topics) set(x *subscription) {
	t.delete(x.topic)
	switch {
	case t.many != nil:
		t.many[x.topic] = x
	case len(t.few) < fewTopics:
		t.few = append(t.few, x)
	default:
		t.many = map[string]*subscription{x.topic: x}
		for _, y := range t.few {
			t.many[y.topic] = y
		}
		t.few = nil
	}
}

func (t *topics) delete(name string) {
	delete(t.many, name)
	t.few = slices.DeleteFunc(t.few, func(x *subscription) bool { return x.topic == name })
}

func (t *topics) empty() bool { return len(t.few)+len(t.many) == 0 }

// all yields them in any order; they may be deleted meanwhile.
func (t *topics) all() iter.Seq[*subscription] {
	if t.many != nil {
		return maps.Values(t.many)
	}
	return slices.Values(slices.Clone(t.few))
}
