package docs

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

const (
	blameEvery = 20_000  // versions between those of which the blame is written down
	blameMost  = 200_000 // events that one call goes over
)

// Blame tells who wrote what.
func (s *Server) Blame(ctx context.Context, q *docsv1.BlameRequest) (*docsv1.BlameResponse, error) {
	limit := int(q.GetLimit())
	if limit == 0 {
		limit = ranges
	}
	switch {
	case limit > MaxRanges:
		return nil, badField("limit", "An answer has at most %d ranges.", MaxRanges)
	case q.GetAfter() > 0 && q.GetVersion() == 0:
		return nil, badField("version", "Name the version that the first part was of.")
	}
	p, err := s.past(ctx, q.GetDocument())
	if err != nil {
		return nil, err
	}
	version := q.GetVersion()
	if version == 0 {
		version = p.head
	}
	switch {
	case version > p.head:
		return nil, errVersion
	case version < p.floor:
		return nil, errErased(p.floor)
	}
	k := bookKey{p.docKey, p.floor, version}
	b, ok := s.blames.get(k)
	if !ok {
		done, err := s.heavy.turn(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		if b, ok = s.blames.get(k); !ok { // perhaps somebody else has put it there meanwhile
			if b, err = s.blame(ctx, p, version, blameEvery, blameMost); err != nil {
				return nil, err
			}
		}
	}
	after := int(q.GetAfter())
	if after > b.content.Len() {
		return nil, badField("after", "The version has %d code units.", b.content.Len())
	}
	res := &docsv1.BlameResponse{Version: version}
	if res.Ranges, res.More, err = b.ranges(after, limit); err != nil {
		return nil, err
	}
	if res.GetMore() && !ok { // its reader comes back
		s.blames.put(k, p.who, b)
	}
	return res, nil
}

// blame goes over the events from the newest version of which the blame was written down, at most so many, and writes it down on its way, each
// time that the version is a multiple of every: the next call begins there, even if this one has not come to the end.
func (s *Server) blame(ctx context.Context, p past, version, every, most uint64) (*blame, error) {
	b, from, err := s.storedBlame(ctx, p, version)
	if err != nil {
		return nil, s.damaged(p.docKey, err)
	}
	last := min(version, from+most)
	err = s.events(ctx, p.docKey, p.epoch, from, last, func(e event) error {
		if err := b.add(e); err != nil {
			return fmt.Errorf("docs: blame: edit %d does not apply: %w", e.version, err)
		}
		if e.version%every == 0 {
			return s.storeBlame(ctx, p, e.version, b)
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return nil, errReading.Because(ctx.Err())
	case rpc.FromError(err).GetReason() == errVersion.Reason: // the floor has risen meanwhile
		return nil, errReading.Because(err)
	case err != nil:
		return nil, s.damaged(p.docKey, err)
	case last < version:
		return nil, errReading
	}
	return b, nil
}

// storedBlame reads the newest blame that was written down, since the floor is where it is, and is not behind a version. What was there at the floor
// is nobody's.
func (s *Server) storedBlame(ctx context.Context, p past, version uint64) (b *blame, at uint64, err error) {
	var packed []byte
	err = s.db.QueryRow(ctx, `SELECT version, ranges FROM docs_blame WHERE workspace = $1 AND document = $2 AND version <= $3 AND floor = $4
		ORDER BY version DESC LIMIT 1`, p.workspace, p.id, int64(version), int64(p.floor)).Scan(&at, &packed)
	var stored docsv1.BlameResponse
	switch {
	case errors.Is(err, sql.ErrNoRows) && p.floor > 0:
		content, _, err := s.contentAt(ctx, p.docKey, p.epoch, p.floor, nil)
		if err != nil {
			return nil, 0, err
		}
		if at = p.floor; content.Len() > 0 {
			stored.Ranges = []*docsv1.BlameRange{{Length: uint32(content.Len())}}
		}
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, 0, fmt.Errorf("docs: read blame: %w", err)
	default:
		text, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
		if err == nil {
			err = proto.Unmarshal(text, &stored)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("docs: blame of %d: %v", at, err) //nolint:errorlint // an end of file here is no lost connection
		}
	}
	if b, err = newBlame(stored.GetRanges()); err != nil {
		return nil, 0, fmt.Errorf("docs: blame of %d: %w", at, err)
	}
	return b, at, nil
}

// storeBlame writes down what is the same whoever finds it, if the floor is where it was.
func (s *Server) storeBlame(ctx context.Context, p past, version uint64, b *blame) error {
	list, _, err := b.ranges(0, b.content.Len())
	if err != nil {
		return err
	}
	text, err := proto.Marshal(&docsv1.BlameResponse{Ranges: list})
	if err != nil {
		return fmt.Errorf("docs: encode blame: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("docs: pack blame: %w", err)
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error { //nolint:wrapcheck // says what failed
		_, err := tx.ExecContext(ctx, s.sql.addBlame, p.workspace, p.id, int64(version), packed.Bytes(), int64(p.floor))
		if err != nil {
			return fmt.Errorf("docs: write blame: %w", err)
		}
		return nil
	})
}
