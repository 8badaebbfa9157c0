package topic_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
	. "plenum.internal/mesh/topic"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// plan is what one writer of a history does with one mutation.
type plan struct {
	page  string
	rows  int
	delay time.Duration
	fault int // 0: none; 1: the planner fails after it has written; 2: refused; 3: COMMIT fails
}

// TestHistories: whatever writers do, however late or not at all they commit, a follower sees each row once, in order, and there are
// no holes in positions and offsets.
func TestHistories(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db, other := openDB(t, url), openDB(t, url)
		poll := func(c *Config, _ *Deps) { c.Poll = 10 * time.Millisecond }
		one, _ := startLog(t, db, poll)
		two, _ := startLog(t, other, poll)
		logs := []*Log{one, two}
		run := 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			workspace := fmt.Sprint("run", run)
			plans := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawPlan), 1, 4), 2, 8).Draw(t, "writers")
			marks, err := one.Marks(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			watch := map[uint32]Mark{}
			for _, w := range plans {
				for _, p := range w {
					n := PartitionOf(workspace, p.page)
					watch[n] = marks[n]
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var followers sync.WaitGroup
			seen := map[uint32][]*topicv1.Record{}
			var mu sync.Mutex // guards seen
			for n, m := range watch {
				for _, l := range logs {
					followers.Go(func() { _ = l.Follow(ctx, n, m.Epoch, m.Position, true, collect(&mu, seen, n, l == one)) })
				}
			}
			acked := map[string]uint64{} // text -> first offset
			var wg sync.WaitGroup
			for i, w := range plans {
				wg.Go(func() {
					for j, p := range w {
						text := fmt.Sprintf("%d.%d", i, j)
						var entries []Entry
						for range p.rows {
							entries = append(entries, note(p.page, text))
						}
						m := mutation(p.page, Key{User: fmt.Sprint("w", i), ClientID: workspace, Seq: uint64(j + 1)}, text, p.op(entries))
						m.Workspace = workspace
						offsets, err := mutate(logs[i%2], m)
						if (err == nil) != (p.fault == 0) {
							t.Errorf("mutation %s with fault %d got %v", text, p.fault, err)
						}
						if err == nil {
							mu.Lock()
							acked[text] = offsets[0]
							mu.Unlock()
						}
					}
				})
			}
			wg.Wait()
			rows := uint64(0)
			want := map[uint32]uint64{}
			marks, err = one.Marks(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for n := range watch {
				want[n] = marks[n].Position - watch[n].Position
				rows += want[n]
			}
			caught := func() bool {
				mu.Lock()
				defer mu.Unlock()
				for n := range want {
					if uint64(len(seen[n])) < want[n] {
						return false
					}
				}
				return true
			}
			for begun := time.Now(); !caught() && time.Since(begun) < 5*time.Second; {
				time.Sleep(5 * time.Millisecond)
			}
			cancel()
			followers.Wait()
			offsets := map[string]uint64{}
			for n, records := range seen {
				if uint64(len(records)) != want[n] {
					t.Fatalf("the follower of partition %d saw %d of %d rows", n, len(records), want[n])
				}
				for i, r := range records {
					if r.GetPosition() != watch[n].Position+uint64(i)+1 {
						t.Fatalf("the follower of partition %d saw position %d as row %d after %d", n, r.GetPosition(), i+1, watch[n].Position)
					}
					if offsets[r.GetTopic()]++; offsets[r.GetTopic()] != r.GetEvent().GetOffset() {
						t.Fatalf("%s: offset %d stands where %d should", r.GetTopic(), r.GetEvent().GetOffset(), offsets[r.GetTopic()])
					}
					text := string(r.GetEvent().GetBody())
					first, ok := acked[text]
					if !ok || r.GetEvent().GetOffset() < first {
						t.Fatalf("%s stands at %d, acknowledged %v at %d", text, r.GetEvent().GetOffset(), ok, first)
					}
				}
			}
			if rows < uint64(len(acked)) {
				t.Fatalf("%d rows of %d acknowledged mutations", rows, len(acked))
			}
		})
	})
}

// collect keeps what the first log's follower sees; the other's must merely be in order.
func collect(mu *sync.Mutex, seen map[uint32][]*topicv1.Record, n uint32, keep bool) func(*topicv1.FollowResponse) error {
	return func(r *topicv1.FollowResponse) error {
		if !keep {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		seen[n] = append(seen[n], r.GetRecords()...)
		return nil
	}
}

func drawPlan(t *rapid.T) plan {
	return plan{
		page:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "page"),
		rows:  rapid.IntRange(1, 3).Draw(t, "rows"),
		delay: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "delay")) * time.Millisecond,
		fault: rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 2, 3}).Draw(t, "fault"),
	}
}

func (p plan) op(entries []Entry) op {
	return func(ctx context.Context, tx *sql.Tx, s *Step) error {
		time.Sleep(p.delay) // the partitions are locked meanwhile
		switch p.fault {
		case 1:
			if _, err := tx.ExecContext(ctx, "UPDATE book_topic SET head = head + 7"); err != nil {
				return err
			}
			return errors.New("the planner fails")
		case 2:
			return refuse(ctx, tx, s)
		case 3:
			if _, err := tx.ExecContext(ctx, "INSERT INTO book_fuse (id, parent) VALUES (1, 2)"); err != nil {
				return err
			}
		}
		return say(entries...)(ctx, tx, s)
	}
}
