package topic_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// wire is a bus that loses what it is told to.
type wire struct {
	mu   sync.Mutex // guards all below
	ch   chan<- bus.Message
	lose func(subject string) bool
	met  func()
}

func (w *wire) Publish(subject string, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lose != nil && w.lose(subject) {
		return errors.New("lost")
	}
	if w.ch != nil && strings.HasPrefix(subject, "plenum._.digest.book.") {
		w.ch <- bus.Message{Subject: subject, Data: data}
	}
	return nil
}

func (w *wire) subscribe(subject string, ch chan<- bus.Message) (func(), error) {
	if subject != "plenum._.digest.book.*" {
		return nil, errors.New("subscribed to " + subject)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ch = ch
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ch = nil
	}, nil
}

func (w *wire) again(f func()) func() {
	w.met = f
	return func() {}
}

func (w *wire) losing(f func(subject string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose = f
}

func everything(string) bool { return true }

// direct calls a server's Heads without a network.
type direct struct {
	topicv1.TopicServiceClient
	server *Server
	mu     sync.Mutex // guards what follows
	away   bool
	calls  int
}

func (d *direct) Heads(ctx context.Context, req *topicv1.HeadsRequest, _ ...grpc.CallOption) (*topicv1.HeadsResponse, error) {
	d.mu.Lock()
	d.calls++
	away := d.away
	d.mu.Unlock()
	if away {
		return nil, errors.New("the service is away")
	}
	return d.server.Heads(ctx, req)
}

func (d *direct) setAway(away bool) (calls int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
	return d.calls
}

// gateway holds what a feed told.
type gateway struct {
	mu    sync.Mutex // guards heads
	heads map[string]*edgev1.Head
}

func (g *gateway) handle(workspace string, h *edgev1.Head) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := workspace + "/" + h.GetTopic()
	if old := g.heads[k]; h.GetEpoch() > old.GetEpoch() || h.GetEpoch() == old.GetEpoch() && h.GetOffset() > old.GetOffset() {
		g.heads[k] = h
	}
}

func (g *gateway) offset(page string) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heads["w/"+pages+page].GetOffset()
}

// TestHeadsFeed: whatever is lost, the feed tells every commit within the time that its fault allows.
func TestHeadsFeed(t *testing.T) {
	for _, c := range []struct {
		name   string
		within time.Duration
		// fault happens around commit, which appends to the page.
		fault func(f *feedTest, commit func())
	}{
		{"quiet: at once", 50 * time.Millisecond, func(_ *feedTest, commit func()) { commit() }},
		{"busy: with the next digest", 1100 * time.Millisecond, func(_ *feedTest, commit func()) { commit(); commit() }},
		{"a lost publication", 50 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(func(subject string) bool { return !strings.HasPrefix(subject, "plenum._.") })
			commit()
		}},
		{"a lost digest", 1300 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(everything)
			commit()
			f.wire.losing(nil)
		}},
		{"a restarted writer", 1300 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(everything)
			commit()
			f.stop()
			f.wire.losing(nil)
			f.restart()
		}},
		{"a writer that died before it published", 3700 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(everything)
			commit()
			f.stop()
		}},
		{"one of two writers died before it published", 3700 * time.Millisecond, func(f *feedTest, commit func()) {
			f.restart() // the second, which speaks for the same partitions
			time.Sleep(5 * time.Second)
			f.wire.losing(everything)
			commit()
			f.wire.losing(nil)
			f.stop()
		}},
		{"the bus is away", 3700 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(everything)
			time.Sleep(20 * time.Second)
			commit()
		}},
		{"the bus is back", 200 * time.Millisecond, func(f *feedTest, commit func()) {
			f.wire.losing(everything)
			commit()
			f.wire.met()
		}},
		{"the service was away", 3200 * time.Millisecond, func(f *feedTest, commit func()) {
			f.source.setAway(true)
			f.wire.losing(everything)
			commit()
			f.wire.losing(nil)
			time.Sleep(20 * time.Second)
			f.source.setAway(false)
		}},
		{"somebody says that a writer has died", 200 * time.Millisecond, func(f *feedTest, _ func()) {
			l, stop := startLog(f.t, f.db)
			f.commit(l)
			stop()
			f.feed.Look()
		}},
		{"a writer that never speaks", 61 * time.Second, func(f *feedTest, _ func()) {
			l, stop := startLog(f.t, f.db)
			defer stop()
			f.commit(l)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFeedTest(t)
				time.Sleep(3700 * time.Millisecond) // all are known to each other
				c.fault(f, func() { f.commit(f.log) })
				begun := time.Now()
				for f.gateway.offset("p") != f.want {
					if time.Since(begun) > c.within {
						t.Fatalf("offset %d, not %d, after %v", f.gateway.offset("p"), f.want, time.Since(begun))
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		})
	}
}

type feedTest struct {
	t       *testing.T
	db      *sqldb.DB
	wire    *wire
	source  *direct
	gateway *gateway
	log     *Log // the writer
	stop    func()
	want    uint64
	feed    *HeadsFeed
}

func newFeedTest(t *testing.T) *feedTest {
	f := &feedTest{t: t, db: openDB(t, meshtest.SQLite(t)), wire: &wire{}, gateway: &gateway{heads: map[string]*edgev1.Head{}}}
	reader, _ := startLog(t, f.db) // answers Heads whatever becomes of the writers
	f.source = &direct{server: NewServer(reader, nil)}
	f.log, f.stop = startLog(t, f.db, f.onWire)
	feed := NewFeed(FeedConfig{Service: "book"}, FeedDeps{Source: f.source, Handle: f.gateway.handle}, f.wire.subscribe, f.wire.again)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-feed.Ready()
	f.feed = feed
	return f
}

func (f *feedTest) onWire(_ *Config, d *Deps) { d.Bus = f.wire }

func (f *feedTest) restart() { startLog(f.t, f.db, f.onWire) }

func (f *feedTest) commit(l *Log) {
	f.t.Helper()
	f.want++
	if _, err := send(l, "p", key(f.want), "x"); err != nil {
		f.t.Fatal(err)
	}
}

// TestFeedIsQuiet: without faults nothing is asked but the routine question.
func TestFeedIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeedTest(t)
		time.Sleep(5 * time.Second)
		before := f.source.setAway(false)
		for range 100 {
			f.commit(f.log)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(50 * time.Second)
		if asked := f.source.setAway(false) - before; asked > 1 {
			t.Errorf("the log was asked %d times in a minute", asked)
		}
		if f.gateway.offset("p") != f.want {
			t.Errorf("offset %d, not %d", f.gateway.offset("p"), f.want)
		}
	})
}

// TestDigests: one a second and partition, idle too; a partition that isn't assigned is spoken for a minute after a commit.
func TestDigests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &recorder{}
		l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(_ *Config, d *Deps) {
			d.Bus = b
			d.Assigned = func(n uint32) bool { return n == 7 }
		})
		time.Sleep(10 * time.Second)
		idle := digestsOf(t, b.take())
		if n := len(idle[DigestSubject("book", 7)]); len(idle) != 1 || n < 9 || n > 11 {
			t.Errorf("%d partitions, %d digests in 10 s", len(idle), n)
		}
		for seq := uint64(1); seq <= 3; seq++ {
			if _, err := send(l, "p", key(seq), "x"); err != nil {
				t.Fatal(err)
			}
		}
		at := DigestSubject("book", PartitionOf("w", "p"))
		time.Sleep(2 * time.Second)
		ds := digestsOf(t, b.take())[at]
		if len(ds) < 2 || ds[0].GetHeads()[0].GetOffset() != 1 || ds[1].GetHeads()[0].GetOffset() != 3 || ds[1].GetPosition() != 3 || ds[1].GetWorkspaces()[0] != "w" {
			t.Errorf("the digests are %v", ds)
		}
		time.Sleep(2 * time.Minute)
		if n := len(digestsOf(t, b.take())[at]); n < 55 || n > 62 {
			t.Errorf("%d digests of a partition that isn't assigned", n)
		}
		// More heads than one message holds.
		for i := range 60 {
			var entries []Entry
			for j := range 20 {
				entries = append(entries, Entry{Topic: "book." + strings.Repeat("k", i+1) + "." + string(rune('a'+j)) + "/p"})
			}
			if _, err := mutate(l, mutation("p", Key{}, "", say(entries...))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		heads := map[string]bool{}
		var last *topicv1.Digest
		for _, d := range digestsOf(t, b.take())[at] {
			if len(d.GetHeads()) > 500 || last != nil && d.GetSequence() != last.GetSequence()+1 {
				t.Errorf("%d heads in digest %d after %d", len(d.GetHeads()), d.GetSequence(), last.GetSequence())
			}
			last = d
			for _, h := range d.GetHeads() {
				heads[h.GetTopic()] = true
			}
		}
		if len(heads) != 60*20 {
			t.Errorf("digests name %d topics", len(heads))
		}
	})
}

// FuzzWatermark: what unpacks packs to the same text, and nothing panics.
func FuzzWatermark(f *testing.F) {
	f.Add(Pack(make([]Mark, Partitions)))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, s string) {
		marks, err := Unpack(s)
		if err != nil {
			return
		}
		again, err := Unpack(Pack(marks))
		if err != nil || len(again) != Partitions {
			t.Fatal(err)
		}
		for i := range marks {
			if marks[i] != again[i] {
				t.Errorf("partition %d: %v, then %v", i, marks[i], again[i])
			}
		}
	})
}
