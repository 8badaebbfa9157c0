package topic_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// deriver runs a log with a follower that echoes pages and announces it.
type deriver struct {
	log      *Log
	follower *Follower
	fail     atomic.Bool // the follower's handler fails
	metrics  *prometheus.Registry
}

// within is a source in the same process.
type within struct {
	topicv1.TopicServiceClient
	log *Log
}

func (w within) Follow(ctx context.Context, req *topicv1.FollowRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[topicv1.FollowResponse], error) {
	s := &responses{ctx: ctx, ch: make(chan *topicv1.FollowResponse), end: make(chan error, 1)}
	go func() {
		s.end <- w.log.Follow(ctx, req.GetPartition(), req.GetEpoch(), req.GetAfter(), req.GetWait(), func(r *topicv1.FollowResponse) error {
			select {
			case s.ch <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return s, nil
}

type responses struct {
	grpc.ServerStreamingClient[topicv1.FollowResponse]
	ctx context.Context
	ch  chan *topicv1.FollowResponse
	end chan error
}

func (s *responses) Recv() (*topicv1.FollowResponse, error) {
	select {
	case r := <-s.ch:
		return r, nil
	case err := <-s.end:
		return nil, err
	}
}

func startDeriver(t *testing.T, db *sqldb.DB, b Bus) (d *deriver, stop func()) {
	t.Helper()
	d = &deriver{metrics: prometheus.NewRegistry()}
	l, stopLog := startLog(t, db, func(c *Config, p *Deps) { c.Poll, p.Bus = 20*time.Millisecond, b })
	d.log = l
	var err error
	d.follower, err = NewFollower(FollowerConfig{Name: "seen", Service: "book", Prefix: "book", Announce: true}, FollowerDeps{
		Source: within{log: l}, DB: db, Bus: b, Metrics: d.metrics,
		Handle: func(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
			if d.fail.Load() {
				return errors.New("as the test wants")
			}
			return seen(ctx, tx, l, records)
		},
		Reset: func(ctx context.Context, tx *sql.Tx, partition uint32) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM book_seen WHERE partition = $1", int64(partition))
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.follower.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			stopLog()
		})
	}
	t.Cleanup(stop)
	<-d.follower.Ready()
	return d, stop
}

// echoOf is how many pages' events were echoed, by the heads that somebody was told.
func echoOf(page string) string { return "w/" + echoes + "of-" + page }

// TestDerivedHeads: on every engine the heads of what was derived are those of the log as of the cursor, in answers and announcements,
// whatever two processes do; and each is announced with the echoes that it brought.
func TestDerivedHeads(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		b := &recorder{}
		one, _ := startDeriver(t, openDB(t, url), b)
		two, _ := startDeriver(t, openDB(t, url), b)
		start, err := one.follower.Heads(t.Context(), "", "")
		if err != nil || len(start.GetHeads()) != 0 {
			t.Fatal(start, err)
		}
		var wg sync.WaitGroup
		for i, d := range []*deriver{one, two} {
			wg.Go(func() {
				for n := range 30 {
					if _, err := send(d.log, fmt.Sprint("p", n%4), Key{fmt.Sprint("u", i), "c", uint64(n + 1)}, "x"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		settled(t, openDB(t, url), one.log)
		page, err := one.log.States(t.Context(), "w", pages+"p1")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := two.follower.Heads(t.Context(), start.GetNext(), "")
		if err != nil {
			t.Fatal(err)
		}
		answered := map[string]*edgev1.Head{}
		for i, h := range answer.GetHeads() {
			answered[answer.GetWorkspaces()[i]+"/"+h.GetTopic()] = h
		}
		if got := answered["w/"+pages+"p1"]; !proto.Equal(got, page[0].Head()) {
			t.Errorf("answered %v, the log says %v", got, page[0].Head())
		}
		if again, err := one.follower.Heads(t.Context(), answer.GetNext(), ""); err != nil || len(again.GetHeads()) != 0 {
			t.Errorf("nothing moved since: %v, %v", again, err)
		}
		announced(t, b.take())
	})
}

// announced checks that announcements of a partition go on where one before ended, and that none tells of a page without as many
// echoes of it.
func announced(t *testing.T, sent []published) {
	t.Helper()
	known := map[string]uint64{}
	heads := map[string]uint64{}
	for _, p := range sent {
		if !strings.HasPrefix(p.subject, "plenum._.derived.") {
			continue
		}
		d := &topicv1.Derived{}
		if err := proto.Unmarshal(p.data, d); err != nil {
			t.Fatal(err)
		}
		for i, h := range d.GetHeads() {
			k := d.GetWorkspaces()[i] + "/" + h.GetTopic()
			if page, ok := strings.CutPrefix(h.GetTopic(), pages); ok && heads[echoOf(page)] < h.GetOffset() {
				t.Errorf("%s stands at %d, and %d echoes were told", k, h.GetOffset(), heads[echoOf(page)])
			}
			heads[k] = max(heads[k], h.GetOffset())
		}
		known[p.subject] = max(known[p.subject], d.GetUpto())
	}
	if heads["w/"+pages+"p1"] == 0 {
		t.Error("nothing was announced")
	}
}

// TestDerivedFeed: whatever is lost, a feed tells a page's head never before its echoes' heads, and both in time; when the follower
// hangs, late.
func TestDerivedFeed(t *testing.T) {
	plans := rapid.Custom(func(t *rapid.T) feedPlan {
		return feedPlan{
			lost:  rapid.SliceOfN(rapid.SampledFrom([]bool{true, false, false}), 5, 25).Draw(t, "lost"),
			hang:  rapid.IntRange(0, 4).Draw(t, "hang"),
			pause: rapid.SampledFrom([]time.Duration{0, 30 * time.Millisecond, 300 * time.Millisecond}).Draw(t, "pause"),
		}
	})
	for n := range 20 { // each has a database of its own
		plan := plans.Example(n)
		synctest.Test(t, func(t *testing.T) {
			if fault := plan.play(t); fault != "" {
				t.Errorf("plan %d, %+v: %s", n, plan, fault)
			}
		})
	}
}

// feedPlan is a history: what is lost around each event, which one the follower hangs at, and how long it is quiet after each.
type feedPlan struct {
	lost  []bool
	hang  int
	pause time.Duration
}

func (p feedPlan) play(t *testing.T) (fault string) {
	var mu sync.Mutex // guards fault and what follows
	told, gates := map[string]uint64{}, map[string]uint64{}
	w := &derivedWire{}
	d, _ := startDeriver(t, openDB(t, meshtest.SQLite(t)), w)
	note := func(workspace string, h *edgev1.Head) {
		gates[workspace+"/"+h.GetTopic()] = max(gates[workspace+"/"+h.GetTopic()], h.GetOffset())
	}
	feed := NewFeed(FeedConfig{Service: "book"}, FeedDeps{
		Source: &direct{server: NewServer(d.log, nil).Deriving(d.follower)},
		Handle: func(workspace string, h *edgev1.Head) {
			mu.Lock()
			defer mu.Unlock()
			if !strings.HasPrefix(h.GetTopic(), pages) {
				note(workspace, h)
			}
		},
		Derived: func(workspace string, h *edgev1.Head) {
			mu.Lock()
			defer mu.Unlock()
			note(workspace, h)
			page, ok := strings.CutPrefix(h.GetTopic(), pages)
			if !ok {
				return
			}
			told[page] = max(told[page], h.GetOffset())
			if n := gates[echoOf(page)]; n < h.GetOffset() && fault == "" {
				fault = fmt.Sprintf("page %s is told at %d with %d echoes", page, h.GetOffset(), n)
			}
		},
	}, w.subscribe, func(func()) func() { return func() {} })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	<-feed.Ready()
	want := map[string]uint64{}
	for i, lost := range p.lost {
		w.lose.Store(lost)
		page := fmt.Sprint("p", i%2)
		want[page]++
		if _, err := send(d.log, page, key(uint64(i+1)), "x"); err != nil {
			t.Fatal(err)
		}
		if i == p.hang {
			d.fail.Store(true)
			time.Sleep(5 * time.Second)
			d.fail.Store(false)
		}
		time.Sleep(p.pause)
	}
	w.lose.Store(false)
	time.Sleep(5 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(told, want) && fault == "" {
		fault = fmt.Sprintf("told %v, not %v", told, want)
	}
	return fault
}

// derivedWire brings announcements, or loses them.
type derivedWire struct {
	lose atomic.Bool
	mu   sync.Mutex // guards ch
	ch   chan<- bus.Message
}

func (w *derivedWire) Publish(subject string, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch != nil && !w.lose.Load() && strings.HasPrefix(subject, "plenum._.derived.book.") {
		w.ch <- bus.Message{Subject: subject, Data: data}
	}
	return nil
}

func (w *derivedWire) subscribe(subject string, ch chan<- bus.Message) (func(), error) {
	if subject != "plenum._.derived.book.*" {
		return nil, errors.New("subscribed to " + subject)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ch = ch
	return func() {}, nil
}

// TestFollowerLag: while a handler fails, the lag grows; afterwards there is none.
func TestFollowerLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := startDeriver(t, openDB(t, meshtest.SQLite(t)), nil)
		lag := func() (seconds, positions float64) {
			families, err := d.metrics.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				switch f.GetName() {
				case "plenum_topic_follower_seconds":
					seconds = f.GetMetric()[0].GetGauge().GetValue()
				case "plenum_topic_follower_positions":
					positions = f.GetMetric()[0].GetGauge().GetValue()
				}
			}
			return seconds, positions
		}
		d.fail.Store(true)
		for seq := range uint64(3) {
			if _, err := send(d.log, "p", key(seq+1), "x"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		if s, n := lag(); s < 29 || s > 31 || n != 3 {
			t.Errorf("%v s and %v positions behind", s, n)
		}
		d.fail.Store(false)
		time.Sleep(5 * time.Second)
		if s, n := lag(); s != 0 || n != 0 {
			t.Errorf("%v s and %v positions behind, and all is applied", s, n)
		}
	})
}

// TestDerivedAfterRestore: in a new life of the history the heads bear its epoch, and none of them goes back while all is derived
// again.
func TestDerivedAfterRestore(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		d, stop := startDeriver(t, db, &recorder{})
		fill(t, d.log, 1, 5)
		settled(t, db, d.log)
		before := derivedOf(t, d)
		stop()
		epoch, err := bookSchema.BumpEpoch(t.Context(), db, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		d, _ = startDeriver(t, db, &recorder{})
		for range 20 { // while it derives
			now := derivedOf(t, d)
			for topic, h := range before {
				if n := now[topic]; strings.HasPrefix(topic, pages) && (n.GetOffset() != h.GetOffset() || n.GetCount() != h.GetCount()) {
					t.Fatalf("%s stood at %v, and stands at %v", topic, h, n)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		settled(t, db, d.log)
		for topic, h := range derivedOf(t, d) {
			if h.GetEpoch() != epoch {
				t.Errorf("%s: %v, and the epoch is %d", topic, h, epoch)
			}
		}
	})
}

// derivedOf reads all heads of what was derived.
func derivedOf(t *testing.T, d *deriver) map[string]*edgev1.Head {
	t.Helper()
	heads := map[string]*edgev1.Head{}
	r, err := d.follower.Heads(t.Context(), Pack(make([]Mark, Partitions)), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range r.GetHeads() {
		heads[h.GetTopic()] = h
	}
	return heads
}
