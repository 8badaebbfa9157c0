package ctl

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Who leaves is said so; where people were in each other's way, and are no more, is not.
func TestWhoLeavesADocument(t *testing.T) {
	body, err := proto.Marshal(&docsv1.Awareness{Entry: &docsv1.Awareness_Overview{Overview: &docsv1.Overview{Version: 7, People: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p := newPeople()
	p.add(&identityv1.Person{Id: "u-bob", Handle: "bob"})
	v := &viewOfDoc{}
	if changed, err := v.take(&edgev1.View{Snapshot: true, More: true, Entries: []*edgev1.Entry{{Key: "u-bob", Removed: true}}}); err != nil || changed != nil || v.overview != nil {
		t.Fatalf("a part: %v, %v", changed, err)
	}
	changed, err := v.take(&edgev1.View{Entries: []*edgev1.Entry{{Key: "#", Body: body}, {Key: "!1", Removed: true}}})
	if err != nil || v.overview == nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := &env{commands: &commands{}, out: &out}
	if err := e.inDoc(p, changed); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "@bob                 has left\nversion 7: 1 in it, 0 active\n"; got != want {
		t.Errorf("%q", got)
	}
}
