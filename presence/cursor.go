package presence

import (
	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// cursor is how far a view was told: a digest of what its subscriber holds. It says nothing else: neither since when others look, nor what happens to whom
// the view doesn't show.
type cursor struct {
	held uint64 // the sum of the hashes of all entries that the subscriber holds
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

func (c *cursor) at() *edgev1.Cursor { return &edgev1.Cursor{Epoch: c.held>>11 | 1, Offset: 1} } // < 2^53

// resume says whether who has come back with a cursor holds what there is; then it goes on from there.
func (c *cursor) resume(after *edgev1.Cursor) bool { return proto.Equal(c.at(), after) }

// send tells an update, with which the subscriber holds what the cursor says.
func (c *cursor) send(u *edgev1.View, send func(*topicv1.TailResponse) error) error {
	u.At = c.at()
	return topic.SendView(u, send) //nolint:wrapcheck // the stream's own
}
