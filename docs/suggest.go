package docs

import (
	"context"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// suggesting is a request that suggests an edit.
type suggesting interface {
	named
	GetBase() uint64
	GetEpoch() uint64
	GetDelta() string
	GetDescription() string
}

// proposal is a suggestion's delta on its way into the session.
type proposal struct {
	caller      auth.Caller
	epoch       uint64 // of the topic that base is of; 0: not said
	base        uint64 // the version that the delta is of by now
	suggested          // the delta
	description string
	steps       int // that following has taken
}

func (p *proposal) version() uint64 { return p.base }

// follow has the delta follow edits.
func (p *proposal) follow(ctx context.Context, edits []recentEdit) error {
	for _, e := range edits {
		if e.edit.Count() > 0 {
			if p.steps += len(p.spots) + e.edit.Count(); p.steps > editSteps {
				return errBaseTooOld
			}
			if p.suggested.follow(reachOf(e.edit)); p.gone {
				return errNothingLeft
			}
		}
		p.base = e.version
		if ctx.Err() != nil {
			return errAway.Because(ctx.Err())
		}
	}
	return nil
}

// suggest brings a suggestion's delta into the session, where decide makes a change of it.
func (s *Server) suggest(ctx context.Context, q suggesting, res proto.Message, method string, decide func(x *session, p *proposal) (*change, error), done func(version uint64)) error {
	c, key, err := caller(ctx)
	if err != nil {
		return err
	}
	text, description := q.GetDelta(), q.GetDescription()
	switch {
	case len(text) > MaxSuggestion:
		return tooLarge("delta", "A suggestion has at most %d bytes, this one has %d. Divide it.", MaxSuggestion, len(text))
	case len(description) > MaxDescription:
		return badField("description", "Too long: %d bytes are allowed, these are %d.", MaxDescription, len(description))
	case !utf8.ValidString(description) || strings.ContainsRune(description, 0):
		return badField("description", "A description is UTF-8 without zero bytes.")
	}
	delta, err := s.parse(text)
	if err != nil {
		return err
	}
	if !changes(delta) {
		return badField("delta", "This changes nothing. Suggest some change.")
	}
	k := docKey{c.Workspace, q.GetDocument()}
	return s.atOwner(ctx, k, method, q, res, func(x *session) error {
		p := &proposal{caller: c, epoch: q.GetEpoch(), base: q.GetBase(), suggested: newSuggested(0, delta), description: description}
		m := topic.Mutation{Workspace: k.workspace, Route: k.id, Key: key, Request: q}
		return s.changeSince(ctx, x, m, res, p, func() (*change, error) { return decide(x, p) }, done)
	})
}

// proposed is what a proposal has become in the session.
type proposed struct {
	as    suggested
	delta ot.Delta
	text  string // of the delta
	quote string
}

// propose has a proposal follow what came since its base, unless that takes long, and checks that it can be accepted. Instead of an open suggestion of
// so many bytes, if it revises one.
func (x *session) propose(p *proposal, id uint64, instead int) (made proposed, err error) {
	switch {
	case p.epoch != 0 && p.epoch != x.epoch:
		return made, errBaseTooOld
	case p.base > x.version:
		return made, errFuture
	case p.base < x.cover.floor:
		return made, errBaseTooOld
	case x.version-p.base > uint64(x.s.cfg.Transform):
		return made, errBaseTooOld
	}
	edits, ok := x.recent.since(p.base)
	if !ok {
		return made, &farBehind{first: x.recent.first()}
	}
	if takesLong(len(p.spots), edits) {
		return made, &farBehind{edits: edits}
	}
	if err := p.follow(context.Background(), edits); err != nil {
		return made, err
	}
	made.delta = p.delta()
	made.as = p.clone()
	made.as.id, made.text = id, made.delta.JSON()
	if err := x.content.Check(made.delta); err != nil {
		return made, refusal(err)
	}
	if x.proposed.bytes-instead+len(made.text) > MaxOpenSuggested {
		return made, errLimit("A document's open suggestions have %d bytes at most, all together. Accept or reject some first.", MaxOpenSuggested)
	}
	made.quote, err = x.quote(made.as.spots)
	return made, err
}

// quote is what spots delete or format.
func (x *session) quote(spots []spot) (string, error) {
	var quote strings.Builder
	left := MaxQuote
	for _, p := range spots {
		if !p.touches() {
			continue
		}
		if quote.Len() > 0 {
			quote.WriteString("…")
			left--
		}
		if left <= 0 {
			break
		}
		text, err := quoted(x.content, p.at, p.end(), left)
		if err != nil {
			return "", err
		}
		quote.WriteString(text)
		left -= p.width
	}
	return quote.String(), nil
}

// CreateSuggestion suggests an edit.
func (s *Server) CreateSuggestion(ctx context.Context, q *docsv1.CreateSuggestionRequest) (*docsv1.CreateSuggestionResponse, error) {
	res := &docsv1.CreateSuggestionResponse{}
	return res, s.suggest(ctx, q, res, docsv1.DocsService_CreateSuggestion_FullMethodName, (*session).createSuggestion, func(version uint64) { res.Suggestion = version })
}

func (x *session) createSuggestion(p *proposal) (*change, error) {
	if err := x.allowNext(p.caller, commenter); err != nil {
		return nil, err
	}
	switch {
	case x.proposed.open >= MaxOpenSuggestions:
		return nil, errLimit("A document has %d open suggestions at most. Accept or reject some first.", MaxOpenSuggestions)
	case len(x.proposed.all) >= MaxSuggestions:
		return nil, errLimit("A document has %d suggestions at most.", MaxSuggestions)
	}
	id := x.version + 1
	made, err := x.propose(p, id, 0)
	if err != nil {
		return nil, err
	}
	return &change{
		event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionCreated{SuggestionCreated: &docsv1.SuggestionCreated{
			Delta: made.text, Description: p.description, Quote: made.quote,
		}}},
		amend: amend{
			answer: func(row *topic.Row) proto.Message { return &docsv1.CreateSuggestionResponse{Suggestion: row.Offset} },
			write: func(b *batch, st *topic.Step) error {
				return b.exec(`INSERT INTO docs_suggestion
					(workspace, document, suggestion, author, description, state, revision, revisions, delta, quote, created_ms, revised_ms, closed, closed_by, closed_ms)
					VALUES ($1, $2, $3, $4, $5, $6, $3, 0, $7, $8, $9, 0, 0, '', 0)`, x.workspace, x.id, int64(id), st.Key.User, p.description,
					int32(suggestionOpen), made.text, []byte(made.quote), st.Now.UnixMilli())
			},
			committed: func() { x.proposed.stand(made.as) },
		},
		follow: func() {
			x.proposed.add(id, &suggestion{author: p.caller.User, state: suggestionOpen, revision: id, delta: made.delta, bytes: len(made.text)})
		},
	}, nil
}

// ReviseSuggestion makes one's own suggestion another one.
func (s *Server) ReviseSuggestion(ctx context.Context, q *docsv1.ReviseSuggestionRequest) (*docsv1.ReviseSuggestionResponse, error) {
	res := &docsv1.ReviseSuggestionResponse{}
	return res, s.suggest(ctx, q, res, docsv1.DocsService_ReviseSuggestion_FullMethodName, func(x *session, p *proposal) (*change, error) {
		return x.reviseSuggestion(p, q.GetSuggestion())
	}, func(version uint64) { res.Version = version })
}

func (x *session) reviseSuggestion(p *proposal, id uint64) (*change, error) {
	if err := x.allowNext(p.caller, commenter); err != nil {
		return nil, err
	}
	o := x.proposed.all[id]
	switch {
	case o == nil:
		return nil, errSuggestion
	case o.author != p.caller.User:
		return nil, errNotSuggester
	case o.state != suggestionOpen:
		return nil, errClosed(o.state)
	case o.revisions >= MaxRevisions:
		return nil, errLimit("A suggestion can be revised %d times. Withdraw it, and make another one.", MaxRevisions)
	}
	if now := x.ahead(id, x.passing()); now.gone {
		return nil, errSuggestionGone
	}
	version := x.version + 1
	made, err := x.propose(p, id, o.bytes)
	if err != nil {
		return nil, err
	}
	return &change{
		event: &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionRevised{SuggestionRevised: &docsv1.SuggestionRevised{
			Suggestion: id, Delta: made.text, Description: p.description, Quote: made.quote,
		}}},
		amend: amend{
			answer: func(row *topic.Row) proto.Message { return &docsv1.ReviseSuggestionResponse{Version: row.Offset} },
			write: func(b *batch, st *topic.Step) error {
				return b.exec(`UPDATE docs_suggestion SET description = $4, revision = $5, revisions = revisions + 1, delta = $6, quote = $7, revised_ms = $8
					WHERE workspace = $1 AND document = $2 AND suggestion = $3`,
					x.workspace, x.id, int64(id), p.description, int64(version), made.text, []byte(made.quote), st.Now.UnixMilli())
			},
			committed: func() { x.proposed.stand(made.as) },
		},
		follow: func() {
			x.proposed.change(id, func(o *suggestion) {
				o.revision, o.revisions, o.delta, o.bytes = version, o.revisions+1, made.delta, len(made.text)
			})
		},
	}, nil
}

// passing is an edit that is under way.
type passing struct {
	version uint64
	reach   reach
}

// passing are the edits that are under way.
func (x *session) passing() (list []passing) {
	for _, a := range x.underWay {
		if a.delta.Count() > 0 {
			list = append(list, passing{a.version, reachOf(a.delta)})
		}
	}
	return list
}

// ahead is what an open suggestion is with all that is under way.
func (x *session) ahead(id uint64, underWay []passing) (s suggested) {
	o, from := x.proposed.all[id], x.storedAt
	if i, found := x.proposed.find(id); found && o.revision <= from {
		s = x.proposed.list[i].clone()
	} else {
		s, from = newSuggested(id, o.delta), o.revision
	}
	for _, e := range underWay {
		if e.version > from {
			s.follow(e.reach)
		}
	}
	return s
}
