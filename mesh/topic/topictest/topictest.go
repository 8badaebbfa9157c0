// Package topictest holds the checks that every log passes, whatever service plans its writes and on whichever engine it stands.
//
// A service runs them on its own planner, with its own migrations:
//
//	func TestLog(t *testing.T) {
//		topictest.Exercise(t, topictest.Subject{
//			Prepare:  func(t testing.TB, db *sqldb.DB) { migrate(t, db); insert the people User(0) to User(Users - 1), and what they write to },
//			Log:      func(t testing.TB, db *sqldb.DB) *topic.Log { return a log over the service's planner, with Bus nil },
//			Mutation: func(n int) topic.Mutation { return one by User(n), in one of ten channels, with a request that holds n },
//			Answer:   func(int) proto.Message { return &chatv1.SendResponse{} },
//		})
//	}
//
// mesh/topic's conformance_test.go is the smallest there is. Nothing but the suite may write to the database's log meanwhile.
package topictest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Subject is a service's log under test.
type Subject struct {
	// Prepare migrates an empty database and writes what mutations need.
	Prepare func(t testing.TB, db *sqldb.DB)
	// Log returns a log over the database that doesn't run yet. It is called more than once for one database, as other processes would.
	Log func(t testing.TB, db *sqldb.DB) *topic.Log
	// Mutation returns the n-th mutation, from 0, without a key: allowed, and appending at least one event. The same n makes the same
	// request, others another one. About ten routes should take turns.
	Mutation func(n int) topic.Mutation
	// Answer returns an empty answer to Mutation(n).
	Answer func(n int) proto.Message
}

// Exercise runs the suite on both engines.
func Exercise(t *testing.T, s Subject) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		s.Prepare(t, db)
		one, two := Run(t, s.Log(t, db)), Run(t, s.Log(t, db))
		t.Run("one effect of each key", func(t *testing.T) { s.keys(t, one, two) })
		t.Run("no holes under concurrent writers", func(t *testing.T) { s.writers(t, one, two) })
		t.Run("an old key is refused", func(t *testing.T) { s.floor(t, one) })
		t.Run("the history is whole", func(t *testing.T) { Check(t, one) })
	})
}

// Run runs a log until the test ends, and returns it when it is ready.
func Run(t testing.TB, l *topic.Log) *topic.Log {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-l.Ready():
	case err := <-done:
		t.Fatalf("the log ended with %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the log isn't ready after 30 s")
	}
	return l
}

// Users is how many authors take turns.
const Users = 7

// User is the author of the n-th mutation: the suite gives it the key of that user.
func User(n int) string { return fmt.Sprint("user-", n%Users) }

func key(n int) topic.Key {
	return topic.Key{User: User(n), ClientID: "exercise", Seq: uint64(n + 1)}
}

// keys retries each mutation in two processes at once.
func (s Subject) keys(t *testing.T, logs ...*topic.Log) {
	const mutations, retries = 20, 4
	answers := make([][]byte, mutations*retries)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			n := i / retries
			m := s.Mutation(n)
			m.Key = key(n)
			if m.Key.User == "" {
				t.Error("no user")
			}
			a := s.Answer(n)
			if err := logs[i%len(logs)].Mutate(t.Context(), m, a); err != nil {
				t.Errorf("mutation %d: %v", n, err)
			}
			answers[i], _ = proto.MarshalOptions{Deterministic: true}.Marshal(a)
		})
	}
	wg.Wait()
	for i := range answers {
		if string(answers[i]) != string(answers[i-i%retries]) {
			t.Errorf("mutation %d was answered in two ways", i/retries)
		}
	}
	times := map[uint64]int64{} // the rows of one commit bear one time
	for _, r := range Check(t, logs[0]) {
		e := r.GetEvent()
		if e.GetMutation() == 0 {
			continue // written without a key
		}
		if at, ok := times[e.GetMutation()]; ok && at != e.GetTimeMs() {
			t.Errorf("mutation %x was committed twice", e.GetMutation())
		}
		times[e.GetMutation()] = e.GetTimeMs()
	}
	for n := range mutations {
		if times[key(n).Mutation()] == 0 {
			t.Errorf("mutation %d has no event", n)
		}
	}
	m := s.Mutation(1)
	m.Key = key(0)
	m.Route, m.Workspace = s.Mutation(0).Route, s.Mutation(0).Workspace
	err := logs[0].Mutate(t.Context(), m, nil)
	if rpc.FromError(err).GetReason() != "topic.KEY_REUSED" {
		t.Errorf("another request under a used key got %v", err)
	}
}

// writers appends from two processes while one follower of each partition reads along.
func (s Subject) writers(t *testing.T, logs ...*topic.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	var followers sync.WaitGroup
	seen := make([][]uint64, topic.Partitions)
	var total atomic.Int64
	for p := range uint32(topic.Partitions) {
		followers.Go(func() {
			_ = logs[0].Follow(ctx, p, 0, 0, true, func(r *topicv1.FollowResponse) error {
				for _, x := range r.GetRecords() {
					seen[p] = append(seen[p], x.GetPosition())
				}
				total.Add(int64(len(r.GetRecords())))
				return nil
			})
		})
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 10 {
				n := 100 + w*10 + i
				m := s.Mutation(n)
				m.Key = key(n)
				if err := logs[w%len(logs)].Mutate(ctx, m, nil); err != nil {
					t.Errorf("mutation %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	want := Check(t, logs[0])
	last := map[uint32]uint64{}
	for _, r := range want {
		last[topic.PartitionOf(r.GetWorkspace(), topic.ID(r.GetTopic()))] = r.GetPosition()
	}
	for begun := time.Now(); total.Load() < int64(len(want)) && time.Since(begun) < 10*time.Second; {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	followers.Wait()
	for p, position := range last {
		if uint64(len(seen[p])) != position {
			t.Errorf("the follower of partition %d saw %d of %d rows", p, len(seen[p]), position)
		}
		for i, at := range seen[p] {
			if at != uint64(i+1) {
				t.Errorf("the follower of partition %d saw position %d as its row %d", p, at, i+1)
				break
			}
		}
	}
}

// floor prunes everything and retries.
func (s Subject) floor(t *testing.T, l *topic.Log) {
	m := s.Mutation(300)
	m.Key = key(300)
	if err := l.Mutate(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Prune(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	err := l.Mutate(t.Context(), m, nil)
	if e := rpc.FromError(err); e.GetCode() != edgev1.Code_CODE_FAILED_PRECONDITION || e.GetReason() != "topic.KEY_TOO_OLD" {
		t.Errorf("a key below the floor got %v", err)
	}
}

// Check reads the whole log, partition by partition, and reports holes in positions and offsets, counts that don't add up, and
// topics whose Tail differs. It returns the records in that order.
func Check(t testing.TB, l *topic.Log) []*topicv1.Record {
	t.Helper()
	type name struct{ workspace, topic string }
	var all []*topicv1.Record
	topics := map[name][]*topicv1.Record{}
	for p := range uint32(topic.Partitions) {
		after := uint64(0)
		err := l.Follow(t.Context(), p, 0, 0, false, func(r *topicv1.FollowResponse) error {
			for _, x := range r.GetRecords() {
				if x.GetPosition() != after+1 {
					t.Errorf("partition %d: position %d follows %d", p, x.GetPosition(), after)
				}
				after = x.GetPosition()
				n := name{x.GetWorkspace(), x.GetTopic()}
				if got, want := x.GetEvent().GetOffset(), uint64(len(topics[n])+1); got != want {
					t.Errorf("%s: offset %d stands where %d should", n.topic, got, want)
				}
				topics[n] = append(topics[n], x)
				all = append(all, x)
			}
			if r.GetUpto() != after {
				t.Errorf("partition %d: upto %d at position %d", p, r.GetUpto(), after)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range topics {
		var got []*topicv1.Record
		err := l.Tail(t.Context(), n.workspace, n.topic, nil, 8<<20, func(r *topicv1.TailResponse) error {
			if r.GetReset_() != nil {
				t.Errorf("%s: reset %v", n.topic, r.GetReset_())
			}
			got = append(got, r.GetRecords()...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: Tail has %d events, Follow %d", n.topic, len(got), len(want))
			continue
		}
		for i := range got {
			if !proto.Equal(got[i].GetEvent(), want[i].GetEvent()) {
				t.Errorf("%s: event %d differs between Tail and Follow", n.topic, i+1)
			}
		}
		s, err := l.States(t.Context(), n.workspace, n.topic)
		if err != nil {
			t.Fatal(err)
		}
		if s[0].Offset != uint64(len(want)) || s[0].Count > s[0].Offset || s[0].Calls > s[0].Count {
			t.Errorf("%s: head %+v after %d events", n.topic, s[0], len(want))
		}
	}
	return all
}
