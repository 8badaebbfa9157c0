package topic

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"plenum.internal/mesh/sqldb"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// mark is a place in a partition: the life of its history, and the position of the newest row.
type mark struct{ epoch, position uint64 }

// End is where a partition ends: what Follow goes on from.
type End struct{ Epoch, Position uint64 }

// Ends returns where the partitions end, by their numbers.
func (l *Log) Ends(ctx context.Context) ([]End, error) {
	marks, err := l.marks(ctx)
	if err != nil {
		return nil, numbered(err)
	}
	ends := make([]End, len(marks))
	for i, m := range marks {
		ends[i] = End{m.epoch, m.position}
	}
	return ends, nil
}

// pack encodes one mark for each partition: a version byte, then varints of the epoch's difference from the one before and of the
// position; base64url.
func pack(marks []mark) string {
	b := []byte{1}
	before := uint64(0)
	for _, m := range marks {
		b = binary.AppendVarint(b, signed(m.epoch-before))
		b = binary.AppendUvarint(b, m.position)
		before = m.epoch
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func unpack(s string) ([]mark, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != 1 {
		return nil, errBadWatermark
	}
	b = b[1:]
	marks := make([]mark, Partitions)
	before := uint64(0)
	for i := range marks {
		delta, n := binary.Varint(b)
		if n <= 0 {
			return nil, errBadWatermark
		}
		position, m := binary.Uvarint(b[n:])
		if m <= 0 || position > math.MaxInt64 {
			return nil, errBadWatermark
		}
		before += unsigned(delta)
		marks[i] = mark{before, position}
		b = b[n+m:]
	}
	if len(b) > 0 {
		return nil, errBadWatermark
	}
	return marks, nil
}

// Heads tells which topics moved since a watermark, at most 1,000 in one answer, of one workspace or (empty) of all. An empty
// watermark starts here. Where the history has begun anew since, all topics of the partition have moved.
func (l *Log) Heads(ctx context.Context, since, workspace string) (*topicv1.HeadsResponse, error) {
	// Read before the topics: what moves in between is told twice rather than never.
	now, err := l.marks(ctx)
	if err != nil {
		return nil, numbered(err)
	}
	return movedSince(ctx, l.db, l.sql.heads, now, since, workspace)
}

// movedSince answers from a table of topics, of which statement reads those that moved; now was read before.
func movedSince(ctx context.Context, db *sqldb.DB, statement string, now []mark, since, workspace string) (*topicv1.HeadsResponse, error) {
	if since == "" {
		return &topicv1.HeadsResponse{Next: pack(now)}, nil
	}
	seen, err := unpack(since)
	if err != nil {
		return nil, err
	}
	var moved [][]any
	for n := range now {
		if seen[n].epoch != now[n].epoch {
			seen[n] = mark{now[n].epoch, 0}
		}
		if seen[n].position != now[n].position {
			moved = append(moved, []any{int64(n), signed(min(seen[n].position, now[n].position))})
		}
	}
	res := &topicv1.HeadsResponse{}
	if len(moved) == 0 {
		res.Next = pack(now)
		return res, nil
	}
	args := marksRelation(db.Dialect()).Args(moved)
	filter := ""
	if workspace != "" {
		filter = fmt.Sprintf(" AND t.workspace = $%d", len(args)+1)
		args = append(args, workspace)
	}
	var last topicState
	err = each(db.Query(ctx, fmt.Sprintf(statement, filter, headsLimit), args...))(func(r *sql.Rows) error {
		s, err := scanTopic(r)
		last = s
		res.Heads = append(res.Heads, s.state().Head())
		res.Workspaces = append(res.Workspaces, s.workspace)
		return err
	})
	if err != nil {
		return nil, numbered(fmt.Errorf("topic: read what moved: %w", err))
	}
	if len(res.GetHeads()) == headsLimit { // partitions below the last one are through, those above were not looked at
		res.Truncated = true
		copy(now[last.partition:], seen[last.partition:])
		now[last.partition].position = last.position
	}
	res.Next = pack(now)
	return res, nil
}
