package editors

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/faults/versions"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const topicPrefix = "docs.document/"

// record is what a client sent and was told, over all runs of its program.
type record struct {
	e      *Editors
	client int

	mu       sync.Mutex // guards all below
	clientID string
	run      int // only what belongs to this run of the program counts
	sends    map[uint64]*send
	mine     map[uint64]*send // by mutation
	told     map[*document]map[uint64]versions.Stamp
	strange  map[*document][]versions.Stamp // what was told of a version after something else
}

type send struct {
	versions.Send

	document *document
	body     []byte
}

func (e *Editors) newRecord(client int) *record {
	return &record{
		e: e, client: client, sends: map[uint64]*send{}, mine: map[uint64]*send{},
		told: map[*document]map[uint64]versions.Stamp{}, strange: map[*document][]versions.Stamp{},
	}
}

// begin makes a Watch for the next run, which has the client_id.
func (r *record) begin(clientID string) func(sent bool, frame any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run++
	r.clientID = clientID
	run, calls := r.run, map[uint32]*send{}
	return func(_ bool, frame any) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.run != run {
			return
		}
		switch f := frame.(type) {
		case *edgev1.ClientFrame:
			if c := f.GetCall(); c != nil {
				if s := r.sent(c); s != nil {
					calls[c.GetId()] = s
				}
			}
		case *edgev1.ServerFrame:
			if a := f.GetReply(); a != nil && calls[a.GetId()] != nil {
				r.answered(calls[a.GetId()], a)
				delete(calls, a.GetId())
			}
			if m := f.GetEvents(); m != nil {
				r.events(m)
			}
		}
	}
}

// end ends a run: whatever its client still does has no effect on anybody.
func (r *record) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run++
}

// request is what the methods that are recorded have in common.
type request interface {
	proto.Message
	GetDocument() string
}

var methods = map[string]struct {
	kind    versions.Kind
	request func() request
}{
	docsv1.DocsService_Submit_FullMethodName[1:]:        {versions.Submit, func() request { return &docsv1.SubmitRequest{} }},
	docsv1.DocsService_CreateThread_FullMethodName[1:]:  {versions.Begin, func() request { return &docsv1.CreateThreadRequest{} }},
	docsv1.DocsService_AddComment_FullMethodName[1:]:    {versions.Reply, func() request { return &docsv1.AddCommentRequest{} }},
	docsv1.DocsService_ResolveThread_FullMethodName[1:]: {versions.Resolve, func() request { return &docsv1.ResolveThreadRequest{} }},
}

// sent notes a request, or that it was sent again.
func (r *record) sent(c *edgev1.Call) *send {
	m, ok := methods[c.GetMethod()]
	if !ok {
		return nil
	}
	if s := r.sends[c.GetClientSeq()]; s != nil {
		s.Changed = s.Changed || !bytes.Equal(s.body, c.GetBody())
		return s
	}
	q := m.request()
	if proto.Unmarshal(c.GetBody(), q) != nil || r.e.byID[q.GetDocument()] == nil {
		return nil
	}
	s := &send{document: r.e.byID[q.GetDocument()], body: c.GetBody()}
	s.Send = versions.Send{
		Client: r.client, Seq: c.GetClientSeq(), Mutation: client.Mutation(r.clientID, c.GetClientSeq()),
		Kind: m.kind, Outcome: versions.Unsettled, Call: r.e.now(),
	}
	if submit, ok := q.(*docsv1.SubmitRequest); ok {
		s.Base, s.Delta = submit.GetBase(), submit.GetDelta()
	}
	r.sends[s.Seq], r.mine[s.Mutation] = s, s
	return s
}

// answered notes an answer, unless it asks to come again.
func (r *record) answered(s *send, a *edgev1.Reply) {
	outcome, cause := versions.Done, ""
	if e := a.GetError(); e != nil {
		if e.GetCode() >= edgev1.Code_CODE_UNAVAILABLE {
			return
		}
		outcome, cause = versions.Refused, e.GetReason()+": "+e.GetMessage()
		if e.GetReason() == "docs.GONE" && s.Kind == versions.Begin {
			outcome = versions.Gone
		}
	} else {
		s.Version, s.Epoch = answer(s.Kind, a.GetBody())
		s.document.reached(s.Version)
	}
	s.settle(r.e, outcome)
	s.Error = cause
}

// answer reads the version that a request made.
func answer(kind versions.Kind, body []byte) (version, epoch uint64) {
	var submit docsv1.SubmitResponse
	var begin docsv1.CreateThreadResponse
	var reply docsv1.AddCommentResponse
	var resolve docsv1.ResolveThreadResponse
	into := map[versions.Kind]proto.Message{versions.Submit: &submit, versions.Begin: &begin, versions.Reply: &reply, versions.Resolve: &resolve}[kind]
	if proto.Unmarshal(body, into) != nil {
		return 0, 0
	}
	return submit.GetVersion() + begin.GetThread() + reply.GetComment() + resolve.GetVersion(), submit.GetEpoch() // of one kind
}

// settle keeps when the outcome was known first.
func (s *send) settle(e *Editors, outcome versions.Outcome) {
	if s.Outcome == versions.Unsettled {
		s.Return = e.now()
		e.settled.Add(1)
	}
	s.Outcome = outcome
}

// events notes what the client is told of a document.
func (r *record) events(m *edgev1.Events) {
	id, ok := strings.CutPrefix(m.GetTopic(), topicPrefix)
	d := r.e.byID[id]
	if !ok || d == nil {
		return
	}
	if r.told[d] == nil {
		r.told[d] = map[uint64]versions.Stamp{}
	}
	for _, e := range m.GetEvents() {
		stamp := stampOf(e)
		if known, told := r.told[d][stamp.Version]; !told {
			r.told[d][stamp.Version] = stamp
		} else if known != stamp {
			r.strange[d] = append(r.strange[d], stamp)
		}
		d.reached(stamp.Version)
		if s := r.mine[stamp.Mutation]; s != nil && s.Outcome == versions.Unsettled {
			s.Version = stamp.Version
			s.settle(r.e, versions.Heard)
		}
	}
}

var seed = maphash.MakeSeed()

func stampOf(e *edgev1.Event) versions.Stamp {
	return versions.Stamp{Version: e.GetOffset(), Mutation: e.GetMutation(), Digest: maphash.Bytes(seed, e.GetBody())}
}

// of is what is recorded of a document.
func (r *record) of(d *document) (sends []versions.Send, told []versions.Stamp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(r.sends)) {
		if s := r.sends[seq]; s.document == d {
			sends = append(sends, s.Send)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(r.told[d])) {
		told = append(told, r.told[d][version])
	}
	return sends, append(told, r.strange[d]...)
}
