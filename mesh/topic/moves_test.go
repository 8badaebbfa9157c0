package topic

import (
	"testing"
	"time"

	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// A transaction takes what the time is enough for, and at least one move, however long that is.
func TestPortions(t *testing.T) {
	t.Parallel()
	of := func(records ...int) (moves []*move) {
		for _, n := range records {
			moves = append(moves, &move{records: make([]*topicv1.Record, n)})
		}
		return moves
	}
	f := &Follower{records: 100}
	for _, c := range []struct {
		records []int
		want    int
	}{
		{[]int{40, 60, 1}, 2},
		{[]int{500, 1}, 1},
		{[]int{0, 0, 0}, 3},
	} {
		if n := f.portion(of(c.records...)); n != c.want {
			t.Errorf("of moves with %v records a portion is %d, want %d", c.records, n, c.want)
		}
	}
	f.learn(of(40, 60), 4*holdTime)
	if f.records != 50 {
		t.Errorf("100 records took too long: the next portion is %d, want 50", f.records)
	}
	f.learn(of(1), holdTime/10)
	if f.records != 50 {
		t.Errorf("one record was quick: the next portion is %d, though nothing is known of so many", f.records)
	}
	f.learn(of(50), holdTime/10)
	if f.records != 100 {
		t.Errorf("50 records were quick: the next portion is %d, want 100", f.records)
	}
	for range 20 {
		f.learn(of(1), time.Minute)
	}
	if f.records != 1 || f.portion(of(3)) != 1 {
		t.Errorf("the portion is %d: it must be one record, or one move", f.records)
	}
}
