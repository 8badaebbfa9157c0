package topic_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func follow(t *testing.T, l *Log, page string) []*topicv1.Record {
	t.Helper()
	var all []*topicv1.Record
	err := l.Follow(t.Context(), PartitionOf("w", page), 0, 0, false, func(r *topicv1.FollowResponse) error {
		for _, x := range r.GetRecords() {
			if x.GetTopic() == pages+page {
				all = append(all, x)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// publications returns the records published on a topic's subject.
func publications(t *testing.T, messages []published, topic string) []*topicv1.Record {
	t.Helper()
	var all []*topicv1.Record
	for _, m := range messages {
		if m.subject != bus.Subject("w", topic) {
			continue
		}
		if len(m.data) > 70<<10 {
			t.Errorf("a publication of %d bytes", len(m.data))
		}
		p := &topicv1.Publication{}
		if err := proto.Unmarshal(m.data, p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p.GetRecords()...)
	}
	return all
}

// TestRedaction: body, salt and digest are gone from the table, Tail, Follow and what is published; the place stays, and a retry of
// the key still gets its answer.
func TestRedaction(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, b := openDB(t, url), &recorder{}
		l, _ := startLog(t, db, func(_ *Config, d *Deps) { d.Bus = b })
		for seq := uint64(1); seq <= 3; seq++ {
			if _, err := send(l, "p", key(seq), fmt.Sprint("secret ", seq)); err != nil {
				t.Fatal(err)
			}
		}
		// One commit with an event and its own redaction: the event must not be published with its body.
		gone := []Entry{note("p", "secret 4"), {Topic: pages + "p", Body: []byte("redacts"), Redacts: []uint64{2, 4}}}
		b.take()
		if _, err := mutate(l, mutation("p", key(4), "secret 4", say(gone...))); err != nil {
			t.Fatal(err)
		}
		const want = "1:secret 1 2: 3:secret 3 4: 5:redacts"
		records, _ := tail(t, l, "p", nil)
		if bodies(records) != want {
			t.Errorf("Tail: %s", bodies(records))
		}
		if got := bodies(follow(t, l, "p")); got != want {
			t.Errorf("Follow: %s", got)
		}
		out := publications(t, b.take(), pages+"p")
		if bodies(out) != "4: 5:redacts" {
			t.Errorf("published: %s", bodies(out))
		}
		for _, r := range []*topicv1.Record{records[4], out[1]} {
			if !slices.Equal(r.GetRedacts(), []uint64{2, 4}) {
				t.Errorf("the redaction names %v", r.GetRedacts())
			}
		}
		var n int
		q := `SELECT count(*) FROM book_log WHERE "offset" IN (2, 4) AND (body IS NOT NULL OR salt IS NOT NULL OR digest IS NOT NULL)`
		if err := db.QueryRow(t.Context(), q).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d redacted rows keep something, %v", n, err)
		}
		s, err := l.States(t.Context(), "w", pages+"p")
		if err != nil || s[0].Redacted != 5 || s[0].Count != 4 || s[0].Offset != 5 {
			t.Errorf("the head is %+v, %v", s, err)
		}
		if o, err := send(l, "p", key(2), "secret 2"); err != nil || !slices.Equal(o, []uint64{2}) {
			t.Errorf("a retry of what was redacted: %v, %v", o, err)
		}
	})
}

// TestFloor: what lies at or below a floor is not replayed from the commit on that raised it, and is erased in portions that go on where one
// stopped; places, keys and answers stay.
func TestFloor(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, b := openDB(t, url), &recorder{}
		l, _ := startLog(t, db, func(_ *Config, d *Deps) { d.Bus = b })
		for seq := uint64(1); seq <= 9; seq++ {
			if _, err := send(l, "p", key(seq), fmt.Sprint("secret ", seq)); err != nil {
				t.Fatal(err)
			}
		}
		raise := func(floor uint64) error {
			_, err := mutate(l, mutation("p", Key{}, "", say(Entry{Topic: pages + "p", Body: []byte("raises"), Floor: floor})))
			return err
		}
		if err := raise(10); err == nil {
			t.Error("an event raised the floor to itself")
		}
		b.take()
		if err := raise(7); err != nil {
			t.Fatal(err)
		}
		if out := publications(t, b.take(), pages+"p"); len(out) != 1 || out[0].GetFloor() != 7 {
			t.Errorf("published: %v", out)
		}
		if err := raise(3); err != nil { // it does not sink
			t.Fatal(err)
		}
		s, err := l.States(t.Context(), "w", pages+"p")
		if err != nil || s[0].Floor != 7 || s[0].Redacted != 11 || s[0].Offset != 11 || s[0].Count != 9 {
			t.Errorf("the head is %+v, %v", s, err)
		}
		at := func(offset uint64) *edgev1.Cursor { return &edgev1.Cursor{Epoch: s[0].Epoch, Offset: offset} }
		for _, offset := range []uint64{0, 6} {
			if records, reset := tail(t, l, "p", at(offset)); reset.GetCode() != edgev1.Code_CODE_RESET_FLOOR || len(records) > 0 {
				t.Errorf("Tail from %d: %v, %v", offset, bodies(records), reset)
			}
			err := l.Range(t.Context(), "w", pages+"p", at(offset), 8, func(*topicv1.Record) error { return nil })
			if rpc.CodeOf(err) != edgev1.Code_CODE_RESET_FLOOR {
				t.Errorf("Range from %d: %v", offset, err)
			}
		}
		const want = "8:secret 8 9:secret 9 10:raises 11:raises"
		for _, after := range []*edgev1.Cursor{nil, at(7)} {
			if records, reset := tail(t, l, "p", after); bodies(records) != want || reset != nil {
				t.Errorf("Tail: %v, %v", bodies(records), reset)
			}
		}
		kept := func() (n int) {
			q := `SELECT count(*) FROM book_log WHERE body IS NOT NULL AND salt IS NOT NULL AND digest IS NOT NULL`
			if err := db.QueryRow(t.Context(), q).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for after, want := range map[uint64]uint64{0: 4, 4: 7, 7: 7, 2: 6} { // in any order
			if upto, err := l.Erase(t.Context(), "w", pages+"p", after, 4); err != nil || upto != want {
				t.Errorf("Erase behind %d: up to %d, %v", after, upto, err)
			}
		}
		if n := kept(); n != 2 {
			t.Errorf("%d rows keep something", n)
		}
		if got := bodies(follow(t, l, "p")); got != "1: 2: 3: 4: 5: 6: 7: "+want {
			t.Errorf("Follow: %s", got)
		}
		if o, err := send(l, "p", key(2), "secret 2"); err != nil || !slices.Equal(o, []uint64{2}) {
			t.Errorf("a retry of what was erased: %v, %v", o, err)
		}
	})
}

// TestErasingMuch: a portion is bounded by bytes, too, and one row that is longer is erased alone.
func TestErasingMuch(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url), func(c *Config, _ *Deps) { c.MaxBody = 8 << 20 })
		for _, size := range []int{5 << 20, 3 << 20, 1 << 20, 1, 3 << 20, 1} {
			if _, err := mutate(l, mutation("p", Key{}, "", say(note("p", strings.Repeat("x", size))))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := mutate(l, mutation("p", Key{}, "", say(Entry{Topic: pages + "p", Body: []byte("raises"), Floor: 6}))); err != nil {
			t.Fatal(err)
		}
		var portions []uint64
		for after := uint64(0); after < 6; {
			upto, err := l.Erase(t.Context(), "w", pages+"p", after, 1000)
			if err != nil || upto <= after {
				t.Fatalf("behind %d: %d, %v", after, upto, err)
			}
			portions, after = append(portions, upto), upto
		}
		if want := []uint64{1, 3, 6}; !slices.Equal(portions, want) {
			t.Errorf("portions end at %v, want %v", portions, want)
		}
		if got := bodies(follow(t, l, "p")); got != "1: 2: 3: 4: 5: 6: 7:raises" {
			t.Errorf("Follow: %s", got)
		}
	})
}

// TestRedactionLeavesTheFile: what was redacted can't be read from SQLite's file.
func TestRedactionLeavesTheFile(t *testing.T) {
	url := meshtest.SQLite(t)
	l, _ := startLog(t, openDB(t, url))
	for seq := range uint64(20) {
		if _, err := send(l, "p", key(seq+1), fmt.Sprintf("secret %02d", seq+1)+strings.Repeat(".", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.TrimPrefix(url, "sqlite:")
	if !onDisk(t, path, "secret 07") {
		t.Error("it was never there")
	}
	if _, err := mutate(l, mutation("p", Key{}, "", say(Entry{Topic: pages + "p", Redacts: []uint64{7}}))); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, path, "secret 07") {
		t.Error("it is still there")
	}
}

// onDisk looks for a text in a database's file after a checkpoint.
func onDisk(t *testing.T, path, text string) bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(data, []byte(text))
}

// Range has no limit but where it is told to end.
func TestRange(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		const n = 1500
		var entries []Entry
		for i := range n {
			text := "short"
			if i > n-50 {
				text = strings.Repeat("x", 100<<10)
			}
			entries = append(entries, note("p", text))
		}
		if _, err := mutate(l, mutation("p", key(1), "all", say(entries...))); err != nil {
			t.Fatal(err)
		}
		s, err := l.States(t.Context(), "w", pages+"p")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]uint64{{0, n}, {0, 1}, {3, 3}, {700, 1400}, {n - 1, n}} {
			at := c[0]
			err := l.Range(t.Context(), "w", pages+"p", &edgev1.Cursor{Epoch: s[0].Epoch, Offset: c[0]}, c[1], func(r *topicv1.Record) error {
				if at++; r.GetEvent().GetOffset() != at || r.GetEpoch() != s[0].Epoch || len(r.GetEvent().GetBody()) == 0 {
					t.Errorf("%d at %d", r.GetEvent().GetOffset(), at)
				}
				return nil
			})
			if err != nil || at != c[1] {
				t.Errorf("%v ended at %d: %v", c, at, err)
			}
		}
		fail := errors.New("enough")
		for name, c := range map[string]struct {
			after *edgev1.Cursor
			last  uint64
			want  edgev1.Code
		}{
			"another life": {&edgev1.Cursor{Epoch: s[0].Epoch - 1}, n, edgev1.Code_CODE_RESET_EPOCH},
			"beyond":       {&edgev1.Cursor{Epoch: s[0].Epoch}, n + 1, edgev1.Code_CODE_RESET_EPOCH},
			"what do says": {&edgev1.Cursor{Epoch: s[0].Epoch}, n, edgev1.Code_CODE_INTERNAL},
		} {
			err := l.Range(t.Context(), "w", pages+"p", c.after, c.last, func(*topicv1.Record) error { return fail })
			if rpc.CodeOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTail(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		if records, reset := tail(t, l, "p", nil); len(records) != 0 || reset != nil {
			t.Errorf("an empty topic has %v, %v", records, reset)
		}
		big := strings.Repeat("x", 100<<10)
		for seq, text := range []string{"one", big, "three", strings.Repeat("y", 40<<10), strings.Repeat("z", 40<<10)} {
			if _, err := send(l, "p", key(uint64(seq+1)), text); err != nil {
				t.Fatal(err)
			}
		}
		s, err := l.States(t.Context(), "w", pages+"p")
		if err != nil {
			t.Fatal(err)
		}
		epoch := s[0].Epoch
		for _, c := range []struct {
			name   string
			after  *edgev1.Cursor
			limit  int
			counts []int // of records in each response
			reset  edgev1.Code
		}{
			{"all", nil, 0, []int{1, 1, 2, 1}, 0},
			{"from the middle", &edgev1.Cursor{Epoch: epoch, Offset: 3}, 0, []int{1, 1}, 0},
			{"from the end", &edgev1.Cursor{Epoch: epoch, Offset: 5}, 0, []int{0}, 0},
			{"from ahead", &edgev1.Cursor{Epoch: epoch, Offset: 6}, 0, []int{0}, edgev1.Code_CODE_RESET_EPOCH},
			{"of another life", &edgev1.Cursor{Epoch: epoch - 1, Offset: 1}, 0, []int{0}, edgev1.Code_CODE_RESET_EPOCH},
			{"too long", nil, 64 << 10, []int{0}, edgev1.Code_CODE_RESET_TOO_LONG},
			{"just short enough", &edgev1.Cursor{Epoch: epoch, Offset: 3}, 81 << 10, []int{1, 1}, 0},
			{"too many", nil, 4 * 64, []int{0}, edgev1.Code_CODE_RESET_TOO_LONG},
		} {
			var counts []int
			var reset *edgev1.Error
			err := l.Tail(t.Context(), "w", pages+"p", c.after, c.limit, func(r *topicv1.TailResponse) error {
				if len(counts) == 0 && r.GetHead().GetOffset() != 5 {
					t.Errorf("%s: the first response names head %v", c.name, r.GetHead())
				}
				counts, reset = append(counts, len(r.GetRecords())), r.GetReset_()
				return nil
			})
			if err != nil || !slices.Equal(counts, c.counts) || reset.GetCode() != c.reset {
				t.Errorf("%s: %v, %v, %v", c.name, counts, reset, err)
			}
		}
	})
}

// TestPublishing: events go out in messages of 64 KiB, a larger body stays behind.
func TestPublishing(t *testing.T) {
	b := &recorder{}
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(_ *Config, d *Deps) { d.Bus = b })
	access := []*topicv1.Access{{Principal: "u", Read: true}}
	var entries []Entry
	for _, size := range []int{10, 40 << 10, 40 << 10, 100 << 10, 10} {
		entries = append(entries, Entry{Topic: pages + "p", Body: make([]byte, size), Access: access})
	}
	if _, err := mutate(l, mutation("p", key(1), "x", say(entries...))); err != nil {
		t.Fatal(err)
	}
	out := publications(t, b.take(), pages+"p")
	records, _ := tail(t, l, "p", nil)
	if len(out) != 5 || len(records) != 5 {
		t.Fatalf("%d records published, %d read", len(out), len(records))
	}
	for i, r := range out {
		if r.GetBodyOmitted() != (i == 3) || r.GetBodyOmitted() != (len(r.GetEvent().GetBody()) == 0) {
			t.Errorf("record %d has %d bytes, omitted %v", i+1, len(r.GetEvent().GetBody()), r.GetBodyOmitted())
		}
		r.BodyOmitted, r.GetEvent().Body = false, records[i].GetEvent().GetBody()
		if !proto.Equal(r, records[i]) {
			t.Errorf("published %v, read %v", r, records[i])
		}
	}
}

func TestHeads(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		l, stop := startLog(t, db)
		put := func(l *Log, workspace string, from, to int) {
			t.Helper()
			byRoute := make(chan error)
			for i := from; i < to; i++ {
				page := fmt.Sprint("h", i)
				m := mutation(page, Key{}, "", say(note(page, "x")))
				m.Workspace = workspace
				go func() { byRoute <- l.Mutate(context.Background(), m, nil) }()
			}
			for range to - from {
				if err := <-byRoute; err != nil {
					t.Fatal(err)
				}
			}
		}
		moved := func(l *Log, since, workspace string) (map[string]uint64, string) {
			t.Helper()
			all := map[string]uint64{}
			for {
				r, err := l.Heads(t.Context(), since, workspace)
				if err != nil {
					t.Fatal(err)
				}
				for i, h := range r.GetHeads() {
					all[r.GetWorkspaces()[i]+"/"+h.GetTopic()] = h.GetOffset()
				}
				since = r.GetNext()
				if !r.GetTruncated() {
					return all, since
				}
			}
		}
		put(l, "w", 0, 50)
		none, start := moved(l, "", "")
		if len(none) != 0 {
			t.Errorf("an empty watermark got %d heads", len(none))
		}
		put(l, "w", 40, 60)
		put(l, "v", 0, 10)
		all, next := moved(l, start, "")
		if len(all) != 30 || all["w/book.page/h45"] != 2 || all["w/book.page/h55"] != 1 {
			t.Errorf("%d heads moved: %v", len(all), all)
		}
		if some, _ := moved(l, start, "v"); len(some) != 10 {
			t.Errorf("%d heads moved in a workspace", len(some))
		}
		if again, _ := moved(l, next, ""); len(again) != 0 {
			t.Errorf("%d heads moved since", len(again))
		}
		put(l, "w", 0, 2500) // three answers
		if many, _ := moved(l, next, ""); len(many) != 2500 {
			t.Errorf("%d of 2500 heads moved", len(many))
		}
		_, before := moved(l, "", "")
		stop()
		epoch, err := bookSchema.BumpEpoch(t.Context(), db, testTime)
		if err != nil {
			t.Fatal(err)
		}
		again, err := bookSchema.BumpEpoch(t.Context(), db, testTime)
		if err != nil || again != epoch+1 {
			t.Errorf("the second bump gave %d after %d, %v", again, epoch, err)
		}
		l, _ = startLog(t, db)
		if everything, _ := moved(l, before, ""); len(everything) != 2510 {
			t.Errorf("a watermark of another life got %d of 2510 heads", len(everything))
		}
		records, reset := tail(t, l, "h0", &edgev1.Cursor{Epoch: epoch, Offset: 1})
		if reset.GetCode() != edgev1.Code_CODE_RESET_EPOCH || len(records) != 0 {
			t.Errorf("a cursor of another life got %v, %v", records, reset)
		}
		if records, _ := tail(t, l, "h0", nil); len(records) != 2 || records[0].GetEpoch() != again {
			t.Errorf("the new life holds %v", records)
		}
		put(l, "w", 9000, 9001)
		if s, err := l.States(t.Context(), "w", pages+"h9000", pages+"h9001"); err != nil || s[0].Epoch != again || s[1].Epoch != again {
			t.Errorf("new topics are %+v, %v", s, err)
		}
		for _, bad := range []string{"x", "!", base64.RawURLEncoding.EncodeToString([]byte{2})} {
			_, err := l.Heads(t.Context(), bad, "")
			wantCode(t, err, edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_WATERMARK")
		}
	})
}

// TestFollowReset: positions ahead, and positions of another life, get a reset.
func TestFollowReset(t *testing.T) {
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)))
	marks, err := l.Marks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := send(l, "p", key(1), "x"); err != nil {
		t.Fatal(err)
	}
	n := PartitionOf("w", "p")
	epoch := marks[n].Epoch
	for _, c := range []struct {
		epoch, after uint64
		records      int
		reset        bool
	}{{0, 0, 1, false}, {epoch, 0, 1, false}, {epoch, 1, 0, false}, {epoch, 2, 0, true}, {epoch - 1, 0, 0, true}, {0, 1, 0, true}} {
		records, reset := 0, false
		err := l.Follow(t.Context(), n, c.epoch, c.after, false, func(r *topicv1.FollowResponse) error {
			records += len(r.GetRecords())
			reset = reset || r.GetReset_() != nil
			if r.GetEpoch() != epoch {
				t.Errorf("a response of epoch %d", r.GetEpoch())
			}
			return nil
		})
		if err != nil || records != c.records || reset != c.reset {
			t.Errorf("after (%d, %d): %d records, reset %v, %v", c.epoch, c.after, records, reset, err)
		}
	}
	err = l.Follow(t.Context(), 64, 0, 0, false, func(*topicv1.FollowResponse) error { return nil })
	wantCode(t, err, edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_PARTITION")
}

// doorman grants every page but the closed one, and knows the caller's own under another name.
type doorman struct{ meanwhile func() }

func (d doorman) Open(_ context.Context, caller auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	if d.meanwhile != nil {
		d.meanwhile()
	}
	grants := make([]*topicv1.Grant, len(wants))
	for i, w := range wants {
		grants[i] = &topicv1.Grant{}
		switch ID(w.GetTopic()) {
		case "closed":
			grants[i].Error = &edgev1.Error{Code: edgev1.Code_CODE_NOT_FOUND}
		case "me":
			grants[i].Canonical = pages + caller.User
		}
	}
	return grants, nil
}

// TestOpen: the head of a grant is not younger than the decision about access.
func TestOpen(t *testing.T) {
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)))
	for _, page := range []string{"p", "u"} {
		if _, err := send(l, page, key(1), "one"); err != nil {
			t.Fatal(err)
		}
	}
	s := NewServer(l, doorman{meanwhile: func() {
		if _, err := send(l, "p", key(2), "removed while access is being decided"); err != nil {
			t.Error(err)
		}
	}})
	ctx := auth.NewContext(t.Context(), auth.Caller{Claims: auth.Claims{Workspace: "w", User: "u"}})
	r, err := s.Open(ctx, &topicv1.OpenRequest{Wants: []*edgev1.Want{
		{Topic: pages + "closed"}, {Topic: pages + "p"}, {Topic: "no name"}, {Topic: pages + "me"}, {Topic: pages + "new"},
		{Topic: pages + "u", Mode: edgev1.Mode_MODE_HEADS},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range r.GetGrants() {
		got = append(got, fmt.Sprintf("%s %d %v", g.GetTopic(), g.GetHead().GetOffset(), g.GetError().GetCode()))
	}
	want := []string{
		"book.page/closed 0 CODE_NOT_FOUND", "book.page/p 1 CODE_UNSPECIFIED", "no name 0 CODE_INVALID_ARGUMENT",
		"book.page/me 1 CODE_UNSPECIFIED", "book.page/new 0 CODE_UNSPECIFIED", "book.page/u 1 CODE_UNSPECIFIED",
	}
	if !slices.Equal(got, want) {
		t.Errorf("granted %q", got)
	}
	if r.GetGrants()[4].GetHead().GetEpoch() == 0 {
		t.Error("a new topic has no epoch")
	}
	if m := r.GetGrants()[5].GetMembers(); len(m) != 1 || m[0].GetOffset() != 1 || r.GetGrants()[1].GetMembers() != nil {
		t.Errorf("in mode HEADS: %v", m)
	}
	if _, err := s.Open(t.Context(), &topicv1.OpenRequest{}); rpc.CodeOf(err) != edgev1.Code_CODE_TOKEN_REFUSED {
		t.Errorf("without a user: %v", err)
	}
	if _, err := s.Open(ctx, &topicv1.OpenRequest{Wants: make([]*edgev1.Want, MaxWants+1)}); rpc.CodeOf(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
		t.Errorf("too many: %v", err)
	}
}
