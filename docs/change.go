package docs

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// caller returns who calls, and the name that they gave the mutation.
func caller(ctx context.Context) (auth.Caller, topic.Key, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return c, topic.Key{}, err
	}
	id, seq, ok := rpc.MutationFrom(ctx)
	if !ok {
		return c, topic.Key{}, errKey
	}
	return c, topic.Key{User: c.User, ClientID: id, Seq: seq}, nil
}

// CreateDocument makes a document, which nobody owns yet.
func (s *Server) CreateDocument(ctx context.Context, q *docsv1.CreateDocumentRequest) (*docsv1.CreateDocumentResponse, error) {
	res := &docsv1.CreateDocumentResponse{}
	return res, s.create(ctx, q, res, func() (string, error) {
		if q.GetContent() == "" {
			return "", nil
		}
		return s.newContent(q.GetContent())
	}, func(document string, version uint64) proto.Message {
		return &docsv1.CreateDocumentResponse{Document: document, Version: version}
	})
}

// create makes a document of a title and of what content returns, a delta or nothing.
func (s *Server) create(ctx context.Context, q interface {
	proto.Message
	GetTitle() string
}, res proto.Message, content func() (string, error), answer func(document string, version uint64) proto.Message) error {
	c, key, err := caller(ctx)
	if err != nil {
		return err
	}
	if !c.May(mayCreate) {
		return errMayCreate
	}
	title := untitled
	if q.GetTitle() != "" {
		if title, err = checkTitle(q.GetTitle()); err != nil {
			return err
		}
	}
	o := &create{docKey: docKey{c.Workspace, newID(c.Workspace, key)}, user: c.User, title: title, answer: answer}
	if o.content, err = content(); err != nil {
		return err
	}
	return s.log.Mutate(ctx, topic.Mutation{Workspace: c.Workspace, Route: o.id, Key: key, Request: q, Op: o}, res)
}

// newContent checks what a document begins with, and returns it in normal form.
func (s *Server) newContent(text string) (string, error) {
	if len(text) > MaxDelta {
		return "", tooLarge("content", "A document begins with at most %d bytes, these are %d. Create it empty, and add to it.", MaxDelta, len(text))
	}
	d, err := s.parse(text)
	if err != nil {
		return "", err
	}
	content, err := ot.NewDocument(d, s.limits, nil)
	if err != nil {
		return "", refusal(err)
	}
	if content.Len() == 0 {
		return "", nil
	}
	return string(content.AppendJSON(nil)), nil
}

// newID makes an id of 128 bits of a mutation's key: the same for each retry, which has to find the partition of the first try. What is made in a
// document has its id in it: the key of a mutation of another document is another one, though it has the same number.
func newID(workspace string, k topic.Key, in ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{workspace, k.User, k.ClientID, strconv.FormatUint(k.Seq, 10)}, in...), "\x00")))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// RenameDocument changes the title.
func (s *Server) RenameDocument(ctx context.Context, q *docsv1.RenameDocumentRequest) (*docsv1.RenameDocumentResponse, error) {
	title, err := checkTitle(q.GetTitle())
	if err != nil {
		return nil, err
	}
	res := &docsv1.RenameDocumentResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_RenameDocument_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allowChange(c, editor); err != nil || title == x.cover.title {
			return nil, err
		}
		return &change{
			event:  &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: title}}},
			amend:  amend{title: title, answer: func(row *topic.Row) proto.Message { return &docsv1.RenameDocumentResponse{Version: row.Offset} }},
			follow: func() { x.cover.title = title },
		}, nil
	}, func(version uint64) { res.Version = version })
}

// TrashDocument puts a document into the trash or takes it out.
func (s *Server) TrashDocument(ctx context.Context, q *docsv1.TrashDocumentRequest) (*docsv1.TrashDocumentResponse, error) {
	res := &docsv1.TrashDocumentResponse{}
	return res, s.change(ctx, q, res, docsv1.DocsService_TrashDocument_FullMethodName, func(x *session, c auth.Caller) (*change, error) {
		if err := x.allow(c, owner); err != nil || q.GetTrashed() == x.cover.trashed {
			return nil, err
		}
		trashed := q.GetTrashed()
		o := &change{
			event:  &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Trashed{Trashed: &docsv1.Trashed{Trashed: trashed}}},
			amend:  amend{trashed: &trashed, answer: func(row *topic.Row) proto.Message { return &docsv1.TrashDocumentResponse{Version: row.Offset} }},
			follow: func() { x.cover.trashed = trashed },
		}
		if trashed { // all but the owners, who are found to have a right of their own
			o.access = []*topicv1.Access{{Principal: everybody}}
		}
		return o, nil
	}, func(version uint64) { res.Version = version })
}

// change is an event that leaves the content as it is, unless it accepts suggestions.
type change struct {
	amend
	event   *docsv1.DocumentEvent
	access  []*topicv1.Access
	delta   ot.Delta     // nothing: the content stays
	content *ot.Document // behind it; nil: likewise
	follow  func()       // changes the session to what is true behind it; nil: nothing
}

// named is a request that names its document.
type named interface {
	proto.Message
	GetDocument() string
}

// change makes a change that decide decides on in the session; nil: there is nothing to change. done gets its version.
func (s *Server) change(ctx context.Context, q named, res proto.Message, method string, decide func(x *session, c auth.Caller) (*change, error), done func(version uint64)) error {
	c, key, err := caller(ctx)
	if err != nil {
		return err
	}
	k := docKey{c.Workspace, q.GetDocument()}
	return s.atOwner(ctx, k, method, q, res, func(x *session) error {
		return x.change(ctx, topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}, res, func() (*change, error) { return decide(x, c) }, done)
	})
}

// change makes a change in the session.
func (x *session) change(ctx context.Context, m topic.Mutation, res proto.Message, decide func() (*change, error), done func(version uint64)) error {
	var a *amendment
	err := x.do(ctx, func() error {
		if _, repeated := x.recent.known[mutationOf(m.Key)]; repeated {
			return errRepeated
		}
		o, err := decide()
		if err == nil && o == nil {
			return x.owns(ctx)
		}
		if err != nil {
			return err
		}
		if o.entry, err = x.entry(m.Key.User, o.event); err != nil {
			return err
		}
		o.entry.Access = o.access
		if a, err = x.amend(m, &o.amend, o.delta, o.content); err == nil && o.follow != nil {
			o.follow()
		}
		return err
	})
	if err == nil && a != nil {
		err = x.outcome(ctx, a, done)
	}
	if mayBeRepeated(err) || err == nil && a == nil { // it may be as was wanted since this very call came before
		return x.s.firstAnswer(ctx, m, res, err)
	}
	return err
}
