package heads

import "time"

const (
	recentTime = 30 * time.Second
	recentMost = 50_000 // topics, about 8 MB; beyond, the older ones are forgotten early
)

// recent remembers for a while where topics moved that nobody follows: who begins to follow one knows it as of a little earlier, and
// what moved in between would not be told before it moves again.
type recent struct {
	young, old map[Name]position
	since      time.Time // of young
}

func (r *recent) note(now time.Time, name Name, head position) {
	if head == (position{}) {
		return
	}
	if r.young == nil || now.Sub(r.since) >= recentTime || len(r.young) >= recentMost/2 {
		r.young, r.old, r.since = map[Name]position{}, r.young, now
	}
	r.young[name] = head
}

// take returns what is remembered of a topic, and forgets it.
func (r *recent) take(name Name) position {
	head, ok := r.young[name]
	if !ok {
		head = r.old[name]
	}
	delete(r.young, name)
	delete(r.old, name)
	return head
}
