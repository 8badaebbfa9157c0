package awareness_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/awareness"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func publication(tb testing.TB, key, from string, m proto.Message, more ...byte) []byte {
	tb.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := proto.Marshal(&topicv1.Publication{Signals: []*edgev1.Signal{{Topic: "docs.document/d", Key: key, From: from, Body: append(body, more...)}}})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// TestParting: gateways signal for who closes the connection, or hides, what clients do when they close a document.
func TestParting(t *testing.T) {
	edge, _ := proto.GetExtension(docsv1.File_plenum_docs_v1_docs_proto.Services().ByName("DocsService").Options(), edgev1.E_Service).(*edgev1.ServiceEdge)
	for _, k := range edge.GetTopics() {
		if k.GetKind() != "docs.document" {
			continue
		}
		m := &docsv1.Presence{}
		if err := protojson.Unmarshal([]byte(k.GetParting().GetBody()), m); err != nil || k.GetParting().GetKey() != awareness.SignalKey || !proto.Equal(m, &docsv1.Presence{Left: true}) {
			t.Errorf("%v %v", k.GetParting(), err)
		}
		return
	}
	t.Error("there is no such kind")
}

func TestParse(t *testing.T) {
	m := &docsv1.Presence{Version: 3, Anchor: 4, Head: 5, Typing: true}
	got := awareness.Parse(publication(t, awareness.SignalKey, "ada/3q2-7wEjRWeJq83vEjRWeA", m))
	if len(got) != 1 || got[0].User() != "ada" || !proto.Equal(got[0].Presence, m) {
		t.Fatalf("%v", got)
	}
	long := append([]byte{0xfa, 0x07, 0x80, 0x08}, make([]byte, 1<<10)...) // an unknown field
	for what, data := range map[string][]byte{
		"nothing":             nil,
		"no publication":      []byte("\xff\xff"),
		"another key":         publication(t, "typing", "ada/s", m),
		"nobody's":            publication(t, awareness.SignalKey, "", m),
		"of no session":       publication(t, awareness.SignalKey, "ada", m),
		"of too long a name":  publication(t, awareness.SignalKey, strings.Repeat("a", 27)+"/s", m),
		"of no user id":       publication(t, awareness.SignalKey, "a#/s", m),
		"no presence":         publication(t, awareness.SignalKey, "ada/s", m, 0xff),
		"too long a body":     publication(t, awareness.SignalKey, "ada/s", m, long...),
		"far too much of all": make([]byte, 9<<10),
	} {
		if got := awareness.Parse(data); len(got) != 0 {
			t.Errorf("%s: %v", what, got)
		}
	}
}
