package presence

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// lastSeen is what somebody is told of when people were here last: hours from a first one on.
func (p *process) lastSeen(who string, first time.Time, users ...string) string {
	p.tb.Helper()
	res, err := p.api().ListLastSeen(p.ctx(who), &presencev1.ListLastSeenRequest{Users: users})
	if err != nil {
		p.tb.Fatal(err)
	}
	var all []string
	for _, s := range res.GetSeen() {
		all = append(all, fmt.Sprintf("%s %d", s.GetUser(), hour(time.UnixMilli(s.GetHourMs()))-hour(first)))
	}
	return strings.Join(all, ", ")
}

// writeAll writes down who was here, of all partitions.
func (p *process) writeAll(now time.Time) {
	p.tb.Helper()
	for n := range uint32(topic.Partitions) {
		if err := p.server.writeSeen(p.tb.Context(), n, now); err != nil {
			p.tb.Fatal(err)
		}
	}
}

// TestLastSeen: it is told in which hour somebody was here last, of whom the caller shares a channel with; it is the same of who is invisible as of who
// is offline, and nothing of who hides it.
func TestLastSeen(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		c.chat.move("general", []string{"ada", "bob", "cyn", "dan"}, nil)
		c.chat.move("other", []string{"eve"}, nil)
		p := c.start("presence-1", "presence-1~1", shortGrace)
		g := p.report()
		for i, user := range []string{"bob", "cyn", "eve"} {
			g.open(uint64(i+1), user)
		}
		g.complete(p)
		e := p.look("ada", nil, "bob", "cyn", "dan")
		for _, user := range []string{"bob", "cyn"} {
			e.until(user, "ONLINE")
		}
		seen := func(who, want string, first time.Time) {
			t.Helper()
			if got := p.lastSeen(who, first, "eve", "dan", "cyn", "bob", "nobody", "bob"); got != want {
				t.Errorf("%s is told %q, want %q", who, got, want)
			}
		}
		first := time.Now()
		seen("ada", "", first)
		p.writeAll(first)
		seen("ada", "bob 0, cyn 0", first)
		seen("bob", "bob 0, cyn 0", first)
		seen("eve", "eve 0", first)
		p.writeAll(first.Add(3 * time.Hour))
		seen("ada", "bob 3, cyn 3", first)
		p.writeAll(first.Add(2 * time.Hour)) // a process whose clock is behind
		seen("ada", "bob 3, cyn 3", first)

		// From here on bob is invisible, and cyn has gone.
		p.choose("bob", presencev1.State_STATE_INVISIBLE, "", 0)
		g.tell(&rosterv1.ReportRequest{Closed: []uint64{2}})
		e.until("bob", "OFFLINE")
		e.until("cyn", "OFFLINE")
		p.server.hub.mu.Lock()
		for _, user := range []string{"bob", "cyn"} {
			k := personKey{"w", user}
			if got := p.server.hub.lastSeen[k]; got < hour(first) || got > hour(time.Now()) {
				t.Errorf("%s has gone in hour %d", user, got)
			}
			p.server.hub.lastSeen[k] = hour(first) + 5
		}
		p.server.hub.mu.Unlock()
		seen("ada", "bob 3, cyn 3", first) // not when they go
		p.writeAll(first.Add(8 * time.Hour))
		seen("ada", "bob 5, cyn 5", first)
		g.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1}}})
		p.writeAll(first.Add(9 * time.Hour))
		seen("ada", "bob 5, cyn 5", first)

		hide := func(user string, hidden bool) {
			t.Helper()
			if _, err := p.api().SetPrivacy(key(c.ctx(user)), &presencev1.SetPrivacyRequest{User: user, Privacy: &presencev1.Privacy{HideLastSeen: hidden}}); err != nil {
				t.Fatal(err)
			}
		}
		rows := func(user string) (n int) {
			t.Helper()
			if err := p.server.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_seen WHERE workspace = 'w' AND user_id = $1`, user).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		hide("cyn", true)
		hide("eve", true)
		p.writeAll(first.Add(10 * time.Hour))
		if seen("ada", "bob 5", first); rows("cyn") != 0 || rows("eve") != 0 {
			t.Errorf("%d and %d rows are kept of who hides", rows("cyn"), rows("eve"))
		}
		p.server.exec(t, `INSERT INTO presence_seen VALUES ('w', 'cyn', $1)`, hour(first)) // by another process that did not know
		seen("ada", "bob 5", first)
		if err := p.server.purgeSeen(t.Context(), first); err != nil || rows("cyn") != 0 {
			t.Errorf("a row is kept of who hides, %v", err)
		}
		hide("eve", false)
		p.writeAll(first.Add(11 * time.Hour))
		seen("eve", "eve 11", first)
		if err := p.server.purgeSeen(t.Context(), first.Add(p.server.cfg.SeenFor+6*time.Hour)); err != nil || rows("bob") != 0 || rows("eve") != 1 {
			t.Errorf("%d rows are left of who was here too long ago, %d of who wasn't, %v", rows("bob"), rows("eve"), err)
		}
	})
}

// TestHidesMeanwhile: what was to be written down of somebody when they decide to hide it is not.
func TestHidesMeanwhile(t *testing.T) {
	o := newOffice(t, choice{}, "ada", "bob")
	ada, bob := personKey{"w", "ada"}, personKey{"w", "bob"}
	listed := func(k personKey) bool {
		return slices.ContainsFunc(o.seenToWrite(topic.PartitionOf(k.workspace, k.user), o.now), func(x sighting) bool { return x.personKey == k })
	}
	o.report(o.g, &rosterv1.ReportRequest{Closed: []uint64{1}}, o.now)
	o.pass(o.cfg.Grace, 2, "")
	o.expect("ada", "OFFLINE", "")
	if !listed(ada) || !listed(bob) {
		t.Fatal("who was here is not to be written")
	}
	hidden := choice{privacy: privacy{hideLastSeen: true}}
	if o.choose(map[personKey]choice{ada: hidden, bob: hidden}, o.now); listed(ada) || listed(bob) {
		t.Error("who hides it from now on is to be written")
	}
	o.report(o.g, &rosterv1.ReportRequest{Closed: []uint64{2}}, o.now)
	o.pass(o.cfg.Grace, 2, "")
	if listed(ada) || listed(bob) || len(o.lastSeen) > 0 {
		t.Errorf("who hides it is to be written: %v", o.lastSeen)
	}
}

// TestSeenIsWrittenOnce: who was written down is not again, but those who have been here in a later hour meanwhile.
func TestSeenIsWrittenOnce(t *testing.T) {
	o := newOffice(t, choice{}, "ada")
	ada := personKey{"w", "ada"}
	o.lastSeen[ada] = 7
	o.seenWritten([]sighting{{ada, 6}})
	if o.lastSeen[ada] != 7 {
		t.Error("a later hour is lost")
	}
	if o.seenWritten([]sighting{{ada, 7}}); len(o.lastSeen) > 0 {
		t.Error("what is written is to be written")
	}
	o.setPlacement(o.now, o.placement, []string{"a"}, false)
	if list := o.seenToWrite(topic.PartitionOf("w", "ada"), o.now); len(list) > 0 {
		t.Errorf("a process that may be taken for dead writes %v", list)
	}
}

// TestWrongLastSeen: more people than may be asked for, and of people whom nobody knows yet.
func TestWrongLastSeen(t *testing.T) {
	c := newCluster(t, meshtest.SQLite(t))
	p := c.start("presence-1", "presence-1~1")
	if _, err := p.api().ListLastSeen(c.ctx("ada"), &presencev1.ListLastSeenRequest{Users: make([]string, maxLastSeen+1)}); rpc.FromError(err).GetReason() != "presence.BAD_FIELD" {
		t.Errorf("too many people: %v", err)
	}
	if res, err := p.api().ListLastSeen(c.ctx("ada"), &presencev1.ListLastSeenRequest{}); err != nil || len(res.GetSeen()) > 0 {
		t.Errorf("nobody: %v, %v", res, err)
	}
}

// TestPurgesInPortions: many who never came back are forgotten a portion at a time.
func TestPurgesInPortions(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		s := secretary(t, url)
		s.exec(t, `INSERT INTO presence_seen WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT 'w', 'user-' || i, 1 FROM n`, seenBatch+1)
		for _, want := range []bool{true, false} {
			if err := s.purgeSeen(t.Context(), time.Now()); err != nil || s.overdue != want {
				t.Errorf("there is more: %t, %v", s.overdue, err)
			}
		}
		var left int
		if err := s.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_seen`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d are left, %v", left, err)
		}
	})
}

func (s *Server) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	err := s.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), statement, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// secretary is a server that does nothing by itself.
func secretary(t *testing.T, url string) *Server {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	all, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	s, err := New(DefaultConfig(), Deps{DB: db, Chat: struct{ grpc.ClientConnInterface }{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOnceAnHour: everybody who is here is written down once an hour, at a time that has nothing to do with when they came.
func TestOnceAnHour(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "presence.db")
	synctest.Test(t, func(t *testing.T) {
		s := secretary(t, url)
		h := s.hub
		place := registry.NewPlacement([]registry.Node{{ID: "presence"}})
		h.setPlacement(time.Now(), place, []string{"a"}, true)
		g := h.openStream("a", time.Now())
		h.report(g, opened(0, 300), time.Now())
		h.report(g, &rosterv1.ReportRequest{Complete: place.Number()}, time.Now())
		answer(h, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.tasks.Go(func() { s.keepSeen(ctx) })
		written := func() (people, hours int) {
			t.Helper()
			synctest.Wait()
			if err := s.db.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT hour) FROM presence_seen`).Scan(&people, &hours); err != nil {
				t.Fatal(err)
			}
			return people, hours
		}
		if n, _ := written(); n != 0 {
			t.Errorf("%d are written down as soon as they come", n)
		}
		was := 0
		for range topic.Partitions {
			time.Sleep(seenGap)
			n, _ := written()
			if n-was > 30 {
				t.Errorf("%d are written down at once", n-was)
			}
			was = n
		}
		if n, _ := written(); n != 300 {
			t.Errorf("%d are written down within an hour", n)
		}
		time.Sleep(2 * time.Hour)
		cancel()
		s.tasks.Wait()
		if n, hours := written(); n != 300 || hours > 2 {
			t.Errorf("%d are written down later, of %d hours", n, hours)
		}
	})
}
