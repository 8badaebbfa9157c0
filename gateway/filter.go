package gateway

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"plenum.internal/gateway/internal/catalog"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const maxTypes = 16

// filter admits events by the fields of their type that are set. It is the one place where a gateway looks at what it carries, and as little
// as that takes: numbers of fields.
type filter struct {
	fields []protowire.Number // ascending
	text   string             // the same for the same fields
}

// newFilter reads Want.types.
func newFilter(types []string, k *catalog.Kind, mode edgev1.Mode) (*filter, error) {
	if len(types) > maxTypes || k.Event == nil || mode != edgev1.Mode_MODE_EVENTS || k.Class == edgev1.TopicClass_TOPIC_CLASS_VIEW {
		return nil, errTypes
	}
	f := &filter{}
	for _, name := range types {
		d := k.Event.Fields().ByName(protoreflect.Name(name))
		if d == nil {
			d = k.Event.Fields().ByJSONName(name)
		}
		if d == nil {
			return nil, errTypes
		}
		f.fields = append(f.fields, d.Number())
	}
	slices.Sort(f.fields)
	f.fields = slices.Compact(f.fields)
	f.text = fmt.Sprint(f.fields)
	return f, nil
}

// name names what is admitted; empty: everything.
func (f *filter) name() string {
	if f == nil {
		return ""
	}
	return f.text
}

// admits tells whether an event is to be sent. One whose body is gone tells nothing to who waits for certain types.
func (f *filter) admits(e *edgev1.Event) bool {
	if f == nil {
		return true
	}
	for body := e.GetBody(); len(body) > 0; {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return true // nothing of ours: the client sees what it is
		}
		if slices.Contains(f.fields, number) {
			return true
		}
		m := protowire.ConsumeFieldValue(number, kind, body[n:])
		if m < 0 {
			return true
		}
		body = body[n+m:]
	}
	return false
}

// admitsAny tells whether one of them is to be sent.
func (f *filter) admitsAny(run []*topicv1.Record) bool {
	return slices.ContainsFunc(run, func(r *topicv1.Record) bool { return f.admits(r.GetEvent()) })
}
