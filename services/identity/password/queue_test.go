package password

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// No sender has more than half of the places, and who comes anew finds one unless many press: each halves what is left.
func TestNobodyTakesTheWholeQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &queue{places: rapid.IntRange(1, 200).Draw(t, "places"), by: map[string]int{}}
		pressing := rapid.IntRange(1, 20).Draw(t, "senders")
		for range 5 { // each takes what it can get
			for s := range pressing {
				for sender := fmt.Sprint(s); ; {
					if _, ok := q.enter(sender); !ok {
						break
					}
				}
			}
		}
		for sender, n := range q.by {
			if n > (q.places+1)/2 {
				t.Errorf("%s has %d of %d places", sender, n, q.places)
			}
		}
		if q.places >= 1<<pressing {
			if _, ok := q.enter("newcomer"); !ok {
				t.Errorf("%d senders fill %d places: %v", pressing, q.places, q.by)
			} else {
				q.leave("newcomer")
			}
		}
		for sender, n := range q.by {
			for range n {
				q.leave(sender)
			}
		}
		if q.length() != 0 || len(q.by) != 0 {
			t.Errorf("left: %v", q.by)
		}
	})
}
