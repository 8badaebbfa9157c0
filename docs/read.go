package docs

import (
	"context"
	"maps"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// ReadDocument reads a part of the content. It is read from the session, which knows what is committed; an older version is made anew.
func (s *Server) ReadDocument(ctx context.Context, q *docsv1.ReadDocumentRequest) (*docsv1.ReadDocumentResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if q.GetAfter() > 0 && q.GetVersion() == 0 {
		return nil, badField("version", "Name the version that the first part was of.")
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.ReadDocumentResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_ReadDocument_FullMethodName, q, res, func(x *session) error {
		content, version, err := x.atHand(ctx, c, q.GetVersion())
		if err != nil {
			return err
		}
		if content == nil {
			done, err := s.heavy.turn(ctx)
			if err != nil {
				return err
			}
			defer done()
			if content, err = x.made(ctx, version); err != nil {
				return err
			}
		}
		if q.GetVersion() == 0 {
			s.opened(c, k)
		}
		res.Version, res.Epoch = version, x.epoch
		if err := part(content, int(q.GetAfter()), res); err != nil {
			return err
		}
		if res.GetMore() { // its reader comes back
			return x.do(ctx, func() error { x.keep(version, content); return nil })
		}
		return nil
	})
}

// atHand is the content of a version, of 0 the newest, for who may read it. nil: it is to be made, when it is the reader's turn.
func (x *session) atHand(ctx context.Context, c auth.Caller, version uint64) (content *ot.Document, at uint64, err error) {
	err = x.do(ctx, func() error {
		if err := x.allow(c, viewer); err != nil {
			return err
		}
		if err := x.owns(ctx); err != nil {
			return err
		}
		at = version
		switch {
		case version == 0 || version == x.storedAt:
			content, at = x.stored.Clone(), x.storedAt
		case version > x.storedAt:
			return errVersion
		case version < x.cover.floor:
			return errErased(x.cover.floor)
		default:
			if k, ok := x.kept[version]; ok {
				content = k.content.Clone()
			}
		}
		return nil
	})
	return content, at, err
}

// made is the content of a version that is not at hand.
func (x *session) made(ctx context.Context, version uint64) (*ot.Document, error) {
	content, _, err := x.s.contentAt(ctx, x.docKey, x.epoch, version, nil)
	if err != nil {
		return nil, x.s.damaged(x.docKey, err)
	}
	return content, nil
}

// kept is the content of a version that somebody reads part by part.
type kept struct {
	content *ot.Document
	until   time.Time
}

const (
	keepTime = 30 * time.Second
	keepMost = 8
)

// keep has a version's content stay at hand for a while.
func (x *session) keep(version uint64, content *ot.Document) {
	x.letGo()
	for v := range x.kept {
		if len(x.kept) >= keepMost {
			delete(x.kept, v)
		}
	}
	x.kept[version] = kept{content, time.Now().Add(keepTime)}
	time.AfterFunc(keepTime, func() { x.tell(x.letGo) })
}

// letGo forgets the contents that were kept for a while.
func (x *session) letGo() {
	now := time.Now()
	maps.DeleteFunc(x.kept, func(_ uint64, k kept) bool { return !now.Before(k.until) })
}

// owns makes sure that the session's owner is still who may tell what the document is, and ends the session if it isn't. Others may have taken it for
// dead unless its lease is the one that it opened the document with: a process that was stopped goes on with what it had, and soon with a new lease.
func (x *session) owns(ctx context.Context) error {
	if lease := x.s.peers.Lease(); lease != 0 && lease == x.lease {
		return nil
	}
	if x.isAdrift() {
		return errAdrift
	}
	ctx, cancel := context.WithTimeout(ctx, certainTime)
	defer cancel()
	var term uint64
	if err := x.s.db.QueryRow(ctx, `SELECT term FROM docs_document WHERE workspace = $1 AND id = $2`, x.workspace, x.id).Scan(&term); err != nil {
		return errAway.Because(err)
	}
	if term != x.term {
		go x.tell(func() { x.broken = true }) // until it has ended, at the latest; perhaps while the service waits for its tasks
		return errEnded
	}
	return nil
}

const certainTime = time.Second // the session's, too

// part fills in what follows a place, about readBytes of it.
func part(content *ot.Document, after int, res *docsv1.ReadDocumentResponse) error {
	length := content.Len()
	if after > length {
		return badField("after", "The document has %d code units.", length)
	}
	// A code unit may take many bytes, or hardly one: what fits is searched for.
	for units := readBytes; ; units /= 2 {
		end := min(after+units, length)
		d, err := content.Slice(after, end)
		if e, ok := err.(*ot.Error); ok && e.Kind == ot.SplitPair && end < length { //nolint:errorlint // never wrapped
			end++
			d, err = content.Slice(after, end)
		}
		if err != nil {
			return refusal(err)
		}
		text := d.AppendJSON(nil)
		if len(text) > 2*readBytes && units > 1 {
			continue
		}
		res.Delta, res.Length, res.More = string(text), uint32(length), end < length
		if !res.GetMore() {
			hash := content.Hash()
			res.Hash = hash[:]
		}
		return nil
	}
}
