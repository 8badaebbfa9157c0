package ctl

import (
	"google.golang.org/protobuf/proto"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// awareness shows three people in a document, in two parts, two of whom are in each other's way, and ends.
func (f *fakeDocs) awareness(topic string) []*edgev1.ServerFrame {
	entry := func(key string, m *docsv1.Awareness) *edgev1.Entry {
		body, _ := proto.Marshal(m)
		return &edgev1.Entry{Key: key, Body: body}
	}
	person := func(m *docsv1.Participant) *docsv1.Awareness {
		return &docsv1.Awareness{Entry: &docsv1.Awareness_Participant{Participant: m}}
	}
	frame := func(v *edgev1.View) *edgev1.ServerFrame {
		v.Topic = topic
		return &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: v}}
	}
	return []*edgev1.ServerFrame{
		frame(&edgev1.View{Snapshot: true, More: true, Entries: []*edgev1.Entry{
			entry("u-bob", person(&docsv1.Participant{Anchor: proto.Uint32(10), Head: proto.Uint32(4), Style: docsv1.Style_STYLE_SUPPORTER})),
			entry("!1", &docsv1.Awareness{Entry: &docsv1.Awareness_Conflict{Conflict: &docsv1.Conflict{From: 4, To: 10, Users: []string{"u-ada", "u-bob"}, Severity: docsv1.Severity_SEVERITY_HIGH}}}),
		}}),
		frame(&edgev1.View{At: &edgev1.Cursor{Epoch: 1, Offset: 3}, Entries: []*edgev1.Entry{
			entry("#", &docsv1.Awareness{Entry: &docsv1.Awareness_Overview{Overview: &docsv1.Overview{Version: 7, People: 3, Active: 2, Conflicts: 1, Score: proto.Uint32(65), Kinds: 4}}}),
			entry("u-ada", person(&docsv1.Participant{Anchor: proto.Uint32(0), Head: proto.Uint32(0), Typing: true, EditedMs: at(1), EditingS: 40, Style: docsv1.Style_STYLE_LEADER})),
			entry("u-cyn", person(&docsv1.Participant{})),
		}}),
		{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{topic}, Error: &edgev1.Error{Code: edgev1.Code_CODE_REVOKED, Message: "You may not read this document any more."}}}},
	}
}
