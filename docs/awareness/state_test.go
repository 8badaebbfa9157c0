package awareness_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// room is a document with its awareness, and a clock.
type room struct {
	t interface {
		Helper()
		Fatal(args ...any)
	}
	s   *awareness.State
	doc *ot.Document
	now time.Time
}

func newRoom(t *testing.T, lines int) *room {
	t.Helper()
	return roomOf(t, strings.Repeat("a line.\n", lines))
}

func roomOf(t interface {
	Helper()
	Fatal(args ...any)
}, text string,
) *room {
	t.Helper()
	r := &room{t: t, s: awareness.New(1), now: time.Unix(1_800_000_000, 0)}
	content, err := new(ot.Builder).Insert(text, nil).Delta()
	if err == nil {
		r.doc, err = ot.NewDocument(content, ot.DefaultLimits(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *room) signal(user string, m *docsv1.Presence) {
	r.s.Hear(awareness.Signal{From: user + "/s", Presence: m}, r.now)
}

// point says that somebody is at a place of the newest version.
func (r *room) point(user string, at int) {
	r.signal(user, &docsv1.Presence{Version: r.s.Version(), Anchor: uint32(at), Head: uint32(at)})
}

func (r *room) did(user string, k awareness.Kind, edit ot.Delta) {
	r.t.Helper()
	if err := r.doc.Apply(edit); err != nil {
		r.t.Fatal(err)
	}
	r.s.Pass(awareness.Act{Version: r.s.Version() + 1, User: user, Kind: k, Edit: edit, Bytes: 50, Time: r.now})
}

// types inserts a text, and signals behind it.
func (r *room) types(user string, at int, text string) {
	r.t.Helper()
	edit, err := new(ot.Builder).Retain(at, nil).Insert(text, nil).Delta()
	if err != nil {
		r.t.Fatal(err)
	}
	r.did(user, awareness.Editing, edit)
	r.point(user, at+len(text))
}

func (r *room) entries() map[string]*docsv1.Awareness {
	return r.s.Entries(r.now, awareness.Ask{Content: r.doc, Scored: true})
}

func (r *room) overview() *docsv1.Overview { return r.entries()["#"].GetOverview() }

// people are those who have an entry.
func (r *room) people() (all []string) {
	for key, e := range r.entries() {
		if e.GetParticipant() != nil {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

func (r *room) head(user string) int {
	p := r.entries()[user].GetParticipant()
	if p == nil || p.Head == nil {
		return -1
	}
	return int(p.GetHead())
}

// Who is there is told by signals alone: who edits without is not, and who falls silent is not any more.
func TestWhoIsThere(t *testing.T) {
	r := newRoom(t, 10)
	r.did("silent", awareness.Editing, insert(t, 0, "x"))
	r.point("ada", 3)
	r.point("bob", 4)
	if got := fmt.Sprint(r.people()); got != "[ada bob]" {
		t.Fatal(got)
	}
	r.now = r.now.Add(awareness.Gone - time.Second)
	r.point("bob", 4)
	r.now = r.now.Add(time.Second)
	if got := fmt.Sprint(r.people()); got != "[bob]" {
		t.Errorf("75 s after ada's last signal: %s", got)
	}
	r.s.Hear(awareness.Signal{From: "bob/other", Presence: &docsv1.Presence{Version: 2}}, r.now)
	r.signal("bob", &docsv1.Presence{Left: true})
	if got := fmt.Sprint(r.people()); got != "[bob]" {
		t.Errorf("one of bob's two sessions has left: %s", got)
	}
	r.s.Hear(awareness.Signal{From: "bob/other", Presence: &docsv1.Presence{Left: true}}, r.now)
	r.signal("eve", &docsv1.Presence{Left: true})
	if got := fmt.Sprint(r.people()); got != "[]" {
		t.Errorf("both have left: %s", got)
	}
}

func insert(t interface {
	Helper()
	Fatal(args ...any)
}, at int, text string,
) ot.Delta {
	t.Helper()
	d, err := new(ot.Builder).Retain(at, nil).Insert(text, nil).Delta()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What somebody does is not told before they signal again, and then it is: in their entry, in areas and in the score.
func TestNothingIsToldBehindTheLastSignal(t *testing.T) {
	r := newRoom(t, 100)
	for _, user := range []string{"ada", "bob"} {
		r.point(user, 0)
		r.point(user, 400)
	}
	r.now = r.now.Add(3 * time.Minute) // the cursors don't count any more
	r.point("ada", 400)
	r.point("bob", 400)
	before := r.entries()
	r.did("ada", awareness.Editing, insert(t, 800, "x"))
	r.did("bob", awareness.Editing, insert(t, 800, "y"))
	r.did("bob", awareness.Commenting, ot.Delta{})
	after := r.entries()
	after["#"].GetOverview().Version = before["#"].GetOverview().GetVersion()
	if len(before) != len(after) {
		t.Fatalf("%v, and then %v", before, after)
	}
	for key, e := range before {
		if !proto.Equal(e, after[key]) {
			t.Errorf("%s: %v, and then %v", key, e, after[key])
		}
	}
	r.point("ada", 400)
	if e := r.entries(); e["ada"].GetParticipant().GetEditedMs() == 0 || e["bob"].GetParticipant().GetEditedMs() != 0 || e["!1"] != nil {
		t.Errorf("ada has signalled: %v", e)
	}
	r.point("bob", 400)
	e := r.entries()
	if e["bob"].GetParticipant().GetEditedMs() == 0 || e["!1"].GetConflict().GetSeverity() != high || e["#"].GetOverview().GetKinds() != 3 {
		t.Errorf("both have: %v", e)
	}
}

// Places are moved over edits as clients move them, whatever version they were told of; what is ahead is told when it is reached, and what is nonsense never.
func TestPlaces(t *testing.T) {
	r := newRoom(t, 10)
	r.point("ada", 20)
	r.point("bob", 20)
	r.did("ada", awareness.Editing, insert(t, 20, "abc")) // ada's cursor goes along, and nobody else's
	if a, b := r.head("ada"), r.head("bob"); a != 23 || b != 20 {
		t.Errorf("ada at %d, bob at %d", a, b)
	}
	r.did("cyn", awareness.Editing, insert(t, 0, "12345"))
	if a, b := r.head("ada"), r.head("bob"); a != 28 || b != 25 {
		t.Errorf("ada at %d, bob at %d", a, b)
	}
	r.signal("dan", &docsv1.Presence{Version: 1, Anchor: 20, Head: 30}) // of before both
	if d := r.head("dan"); d != 38 {
		t.Errorf("dan at %d", d)
	}
	r.signal("eve", &docsv1.Presence{Version: 4, Anchor: 7, Head: 7}) // of the next
	if e := r.head("eve"); e != -1 {
		t.Errorf("eve at %d, of a version that nobody has", e)
	}
	r.did("ada", awareness.Editing, insert(t, 0, "1")) // 4: told already
	r.did("ada", awareness.Editing, insert(t, 0, "1")) // 5
	if e := r.head("eve"); e != 8 {
		t.Errorf("eve at %d", e)
	}
	r.signal("fay", &docsv1.Presence{Version: 1 << 60, Anchor: 7, Head: 7})
	r.signal("gus", &docsv1.Presence{Version: 5, Anchor: 1 << 31, Head: 1<<32 - 1})
	if got := fmt.Sprint(r.people()); got != "[ada bob dan eve gus]" || r.head("gus") != r.doc.Len() {
		t.Errorf("%s, gus at %d", got, r.head("gus"))
	}
	for range 600 { // more than are remembered
		r.did("ada", awareness.Other, insert(t, 0, "x"))
	}
	r.signal("hal", &docsv1.Presence{Version: 5, Anchor: 1, Head: 1})
	if h, b := r.head("hal"), r.head("bob"); h != -1 || b != 25+602 {
		t.Errorf("hal at %d, of too old a version; bob at %d", h, b)
	}
	var b ot.Builder
	for range 600 {
		b.Retain(1, nil).Insert("-", nil)
	}
	long, err := b.Delta()
	if err != nil {
		t.Fatal(err)
	}
	r.did("ada", awareness.Editing, long)
	if b := r.head("bob"); b != -1 {
		t.Errorf("bob at %d behind an edit of too many operations", b)
	}
	r.point("bob", 9)
	if b := r.head("bob"); b != 9 {
		t.Errorf("bob at %d", b)
	}
}

// A State says what a plain one says, which keeps all edits and moves each place over all of them when it is asked.
func TestPlacesAreThoseOfAPlainModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := roomOf(t, strings.Repeat("line\n", 20))
		type told struct{ version, at int }
		type made struct {
			user string
			edit ot.Delta
		}
		last, edits := map[string]told{}, []made{}
		user := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			who := user.Draw(t, "who")
			if rapid.Bool().Draw(t, "points") {
				version := 1 + rapid.IntRange(0, len(edits)).Draw(t, "version")
				at := rapid.IntRange(0, 60).Draw(t, "at")
				r.signal(who, &docsv1.Presence{Version: uint64(version), Anchor: uint32(at), Head: uint32(at)})
				last[who] = told{version, at}
				continue
			}
			var b ot.Builder
			b.Retain(rapid.IntRange(0, 20).Draw(t, "retain"), nil)
			if rapid.Bool().Draw(t, "deletes") && r.doc.Len() > 40 {
				b.Delete(rapid.IntRange(1, 10).Draw(t, "delete"))
			}
			b.Insert(rapid.SampledFrom([]string{"x", "yy\n"}).Draw(t, "text"), nil)
			edit, err := b.Delta()
			if err != nil {
				t.Fatal(err)
			}
			r.did(who, awareness.Editing, edit)
			edits = append(edits, made{who, edit})
		}
		for who, p := range last {
			for _, e := range edits[p.version-1:] {
				p.at = e.edit.TransformPosition(p.at, e.user != who)
			}
			if got := r.head(who); got != min(p.at, r.doc.Len()) {
				t.Fatalf("%s is at %d, not %d", who, got, p.at)
			}
		}
		if got, want := len(r.people()), len(last); got != want {
			t.Fatalf("%d people, not %d", got, want)
		}
	})
}

// Areas: who only opens a document at its beginning is in nobody's way; who types where somebody else does is, for a while.
func TestAreasOfADocument(t *testing.T) {
	r := newRoom(t, 100)
	for i := range 9 {
		r.point(fmt.Sprint("u", i), 0)
	}
	if o := r.overview(); o.GetConflicts() != 0 || o.GetActive() != 0 || o.GetPeople() != 9 {
		t.Errorf("all stand at the beginning: %v", o)
	}
	severity := func() docsv1.Severity { return r.entries()["!1"].GetConflict().GetSeverity() }
	r.types("u1", 400, "one ")
	r.types("u2", 404, "two ")
	if got := r.entries()["!1"].GetConflict(); got.GetSeverity() != high || got.GetFrom() != 400 || got.GetTo() != 408 || fmt.Sprint(got.GetUsers()) != "[u1 u2]" {
		t.Errorf("in one line: %v", got)
	}
	r.now = r.now.Add(10 * time.Second)
	if got := severity(); got != medium {
		t.Errorf("ten seconds later: %v", got)
	}
	r.now = r.now.Add(20 * time.Second)
	if got := severity(); got != low { // their cursors
		t.Errorf("half a minute later: %v", got)
	}
	r.now = r.now.Add(40 * time.Second)
	r.point("u1", 404)
	r.point("u2", 408)
	r.now = r.now.Add(50 * time.Second)
	if got := severity(); got != none {
		t.Errorf("two minutes later: %v", got)
	}
	// An edit before them moves what they have edited.
	r = newRoom(t, 100)
	r.types("u1", 400, "one ")
	r.types("u2", 404, "two ")
	r.types("u3", 0, "12345678\n")
	if got := r.entries()["!1"].GetConflict(); got.GetFrom() != 409 || got.GetTo() != 417 {
		t.Errorf("moved on: %v", got)
	}
}

// Entries are of 200 people and 32 areas at the most, those first who do something; all are counted.
func TestManyPeople(t *testing.T) {
	r := newRoom(t, 3000)
	for i := range 500 {
		r.point(fmt.Sprintf("u%03d", i), 0)
	}
	for i := 300; i < 400; i++ {
		r.types(fmt.Sprintf("u%03d", i), (i-300)/2*8*20+2, "x")
	}
	e := r.entries()
	o := e["#"].GetOverview()
	if o.GetPeople() != 500 || o.GetActive() != 100 || o.GetConflicts() != 50 || len(e) != awareness.MaxShown+awareness.MaxAreas+1 {
		t.Errorf("%d entries: %v", len(e), o)
	}
	for i := 300; i < 400; i++ {
		if e[fmt.Sprintf("u%03d", i)] == nil {
			t.Errorf("u%d has edited, and has no entry", i)
		}
	}
	for i := 500; i < 2000; i++ {
		r.point(fmt.Sprintf("u%d", i), 0)
	}
	if o := r.overview(); o.GetPeople() != 1000 {
		t.Errorf("%d people are known", o.GetPeople())
	}
	for i := range 20 {
		r.s.Hear(awareness.Signal{From: fmt.Sprintf("u000/%d", i), Presence: &docsv1.Presence{Version: 1}}, r.now)
	}
	for i := range 3000 { // who aren't there
		r.did(fmt.Sprint("v", i), awareness.Editing, insert(t, 0, "x"))
	}
	if o := r.overview(); o.GetPeople() != 1000 {
		t.Errorf("%d people are known", o.GetPeople())
	}
}

// Style and score are told of what was done in half an hour, by stretches of ten seconds, if they are asked for, and else not at all.
func TestStylesOfADocument(t *testing.T) {
	r := newRoom(t, 1000)
	r.point("ada", 0)
	r.point("bob", 0)
	r.point("cyn", 0)
	for i := range 12 {
		for range 20 {
			r.types("ada", 100, "x") // many keys, one stretch
		}
		if i%2 == 0 {
			r.types("bob", 4000, "y")
		}
		if i < 3 {
			r.did("cyn", awareness.Commenting, ot.Delta{})
		}
		r.point("cyn", 0)
		r.now = r.now.Add(10 * time.Second)
	}
	style := func(user string) docsv1.Style { return r.entries()[user].GetParticipant().GetStyle() }
	if a, b, c := style("ada"), style("bob"), style("cyn"); a != docsv1.Style_STYLE_LEADER || b != docsv1.Style_STYLE_INDEPENDENT || c != docsv1.Style_STYLE_SUPPORTER {
		t.Errorf("ada %v, bob %v, cyn %v", a, b, c)
	}
	p, o := r.entries()["ada"].GetParticipant(), r.overview()
	if p.GetEditingS() != 120 || p.GetEditedMs() != r.now.Add(-10*time.Second).UnixMilli() {
		t.Errorf("ada has edited for %d s, last at %d", p.GetEditingS(), p.GetEditedMs())
	}
	if o.GetActive() != 3 || o.GetKinds() != 3 || o.GetScore() != 60+15+15 {
		t.Errorf("%v", o)
	}
	for key, e := range r.s.Entries(r.now, awareness.Ask{Content: r.doc}) {
		if e.GetParticipant().GetStyle() != docsv1.Style_STYLE_UNSPECIFIED || e.GetOverview() != nil && e.GetOverview().Score != nil {
			t.Errorf("not asked for, and told: %s %v", key, e)
		}
	}
	for range 31 {
		r.now = r.now.Add(time.Minute)
		for _, user := range []string{"ada", "bob", "cyn"} {
			r.signal(user, &docsv1.Presence{Version: r.s.Version(), Anchor: 5, Head: 5})
		}
	}
	if a, o := style("ada"), r.overview(); a != docsv1.Style_STYLE_INDEPENDENT || o.GetActive() != 0 || o.GetScore() != 0 {
		t.Errorf("half an hour later: ada %v, %v", a, o)
	}
}

// FuzzParse: whatever comes from the bus is left out or can be heard, and told.
func FuzzParse(f *testing.F) {
	for _, m := range []*docsv1.Presence{{Version: 1, Anchor: 3, Head: 9, Typing: true}, {Left: true}, {Version: 1 << 60, Head: 1<<32 - 1}} {
		for _, from := range []string{"ada/s", "ada", "", "ada/s/t"} {
			f.Add(publication(f, awareness.SignalKey, from, m))
		}
	}
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRoom(t, 3)
		for _, told := range awareness.Parse(data) {
			r.s.Hear(told, r.now)
			if told.User() == "" || len(told.User()) > 26 {
				t.Errorf("of %q", told.From)
			}
		}
		for key, e := range r.entries() {
			if p := e.GetParticipant(); p.GetAnchor() > uint32(r.doc.Len()) || p.GetHead() > uint32(r.doc.Len()) {
				t.Errorf("%s: %v", key, p)
			}
		}
	})
}
