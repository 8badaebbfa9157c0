package presence

import (
	"github.com/cespare/xxhash/v2"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	cursorEpoch = 1                      // of all views: a digest says the same at every process
	digestBits  = 36                     // of an offset, at its end; those before them count updates
	maxUpdates  = 1 << (53 - digestBits) // behind a snapshot, of one view: 36 hours of one a second
)

// cursor is how far a view was told: a digest of what its subscriber holds, and how many updates they were told that have made it that. It says nothing
// else: neither since when others look, nor what happens to whom the view doesn't show.
type cursor struct {
	held    uint64 // the sum of the hashes of all entries that the subscriber holds
	updates uint64 // behind a snapshot; cursors of one stream ascend
}

// hash is what an entry counts in a cursor: of one that is taken away 0, of others never.
func hash(e *edgev1.Entry) uint64 {
	if e.GetRemoved() {
		return 0
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(e.GetKey() + "\x00") // an id has none
	_, _ = d.Write(e.GetBody())
	return max(d.Sum64(), 1)
}

// resume says whether who has come back with a cursor holds what there is; then it goes on from there.
func (c *cursor) resume(after *edgev1.Cursor) bool {
	updates := after.GetOffset() >> digestBits
	if after.GetEpoch() != cursorEpoch || updates >= maxUpdates/2 || (after.GetOffset()^c.held)%(1<<digestBits) != 0 {
		return false
	}
	c.updates = updates
	return true
}

// send tells an update, with which the subscriber holds what the cursor says.
func (c *cursor) send(u *edgev1.View, send func(*topicv1.TailResponse) error) error {
	switch {
	case u.GetSnapshot():
		c.updates = 0
	case len(u.GetEntries()) > 0:
		c.updates++
	}
	if c.updates == maxUpdates {
		return errAway // the gateway asks again, and is told all anew
	}
	u.At = &edgev1.Cursor{Epoch: cursorEpoch, Offset: c.updates<<digestBits | c.held%(1<<digestBits)}
	return topic.SendView(u, send) //nolint:wrapcheck // the stream's own
}
