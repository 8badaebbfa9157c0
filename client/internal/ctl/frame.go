package ctl

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// topicKinds is what the topics of each kind carry, as far as this program's contract has it.
type topicKinds map[string]*edgev1.TopicKind

// contract reads the kinds out of the services' options.
func contract() topicKinds {
	kinds := topicKinds{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			edge, _ := proto.GetExtension(file.Services().Get(i).Options(), edgev1.E_Service).(*edgev1.ServiceEdge)
			for _, kind := range edge.GetTopics() {
				kinds[kind.GetKind()] = kind
			}
		}
		return true
	})
	return kinds
}

func (k topicKinds) of(topic string) *edgev1.TopicKind {
	kind, _, _ := strings.Cut(topic, "/")
	return k[kind]
}

// frame is a frame as JSON in one line. The bytes of events, badges and signals are shown as what they mean, as on a connection that
// speaks JSON; those of kinds that this program doesn't know stay base64.
func (k topicKinds) frame(m proto.Message) ([]byte, error) {
	line, err := oneLine(m)
	if err != nil {
		return nil, err
	}
	switch f := m.(type) {
	case *edgev1.ClientFrame:
		if s := f.GetSignal(); s != nil {
			line = unfold(line, "body", s.GetBody(), k.of(s.GetTopic()).GetSignal())
		}
	case *edgev1.ServerFrame:
		for _, e := range f.GetEvents().GetEvents() {
			line = unfold(line, "body", e.GetBody(), k.of(f.GetEvents().GetTopic()).GetEvent())
		}
		for _, e := range f.GetView().GetEntries() {
			line = unfold(line, "body", e.GetBody(), k.of(f.GetView().GetTopic()).GetEvent())
		}
		for _, h := range f.GetHeads().GetHeads() {
			line = unfold(line, "badge", h.GetBadge(), k.of(f.GetHeads().GetTopic()).GetBadge())
		}
		if s := f.GetSignal(); s != nil {
			line = unfold(line, "body", s.GetBody(), k.of(s.GetTopic()).GetSignal())
		}
	}
	return line, nil
}

// unfold puts the JSON of a message of the named type in place of its bytes in a field.
func unfold(line []byte, field string, data []byte, name string) []byte {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return line
	}
	m := kind.New().Interface()
	if proto.Unmarshal(data, m) != nil {
		return line
	}
	shown, err := oneLine(m)
	if err != nil {
		return line
	}
	return bytes.Replace(line, fmt.Appendf(nil, "%q:%q", field, base64.StdEncoding.EncodeToString(data)), fmt.Appendf(nil, "%q:%s", field, shown), 1)
}
