package ctl

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// TestWatchWords: whoever watches is told what changes, what isn't to be seen any more, and when what is shown may be old and isn't any more.
func TestWatchWords(t *testing.T) {
	at := &edgev1.Cursor{Epoch: 1, Offset: 1}
	status := func(key string, state presencev1.State, asOfMs int64) *edgev1.Entry {
		body, _ := proto.Marshal(&presencev1.Entry{Status: &presencev1.Status{State: state, AsOfMs: asOfMs}})
		return &edgev1.Entry{Key: key, Body: body}
	}
	old, _ := proto.Marshal(&presencev1.Entry{AsOfMs: 60_000})
	gone := func(key string) *edgev1.Entry { return &edgev1.Entry{Key: key, Removed: true} }
	const online, unknown = presencev1.State_STATE_ONLINE, presencev1.State_STATE_UNSPECIFIED

	var out bytes.Buffer
	e := &env{commands: &commands{}, out: &out, err: &out}
	p := &people{byID: map[string]string{"u1": "ada", "u2": "bob", "u3": "cy"}}
	v := &viewOfPeople{held: map[string]bool{}}
	for _, c := range []struct {
		update *edgev1.View
		want   string
	}{
		{&edgev1.View{Stale: true}, "Who is here can't be asked just now: what was shown may be old."},
		{&edgev1.View{Snapshot: true, More: true, Entries: []*edgev1.Entry{status("u2", online, 0)}}, "Who is here can be asked again."},
		{&edgev1.View{Entries: []*edgev1.Entry{status("u1", online, 0), {Key: "~", Body: old}}, At: at}, "@ada online|@bob online|What is shown is of 1970-01-01 00:01:00."},
		{&edgev1.View{Entries: []*edgev1.Entry{status("u1", unknown, 120_000)}, At: at}, "@ada unknown since 1970-01-01 00:02:00"},
		{&edgev1.View{Entries: []*edgev1.Entry{gone("~"), gone("u2"), gone("u3")}, At: at}, "@bob not to be seen any more|What is shown is true again."},
		{&edgev1.View{Stale: true, At: at}, "Who is here can't be asked just now: what was shown may be old."},
		{&edgev1.View{Stale: true, At: at}, ""},
		{&edgev1.View{At: at}, "Who is here can be asked again."},
		{&edgev1.View{Snapshot: true, Entries: []*edgev1.Entry{status("u2", online, 0)}, At: at}, "@ada not to be seen any more|@bob online"},
		{&edgev1.View{Entries: []*edgev1.Entry{gone("u1")}, At: at}, ""},
	} {
		out.Reset()
		if changed, whole := v.take(c.update, e.err); whole {
			if err := e.seen(p, changed); err != nil {
				t.Fatal(err)
			}
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("%v: told %q, want %q", c.update, got, c.want)
		}
	}
}
