package doc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner orders the edits of one document, as the document service does.
type owner struct {
	mu      sync.Mutex // guards all below
	epoch   uint64
	floor   uint64 // edits of a base below it are refused, and cursors below it reset
	log     []*edgev1.Event
	edits   []ot.Delta // of log
	content *ot.Document
	answers map[string]*docsv1.SubmitResponse // by key
	bodies  map[string][]byte
	refuse  *edgev1.Error // all that is new
	part    int           // code units in one answer to a read; 0: all
	changed chan struct{}
	faults  []string // what no client may do
}

func newOwner(text string) *owner {
	o := &owner{epoch: 7, answers: map[string]*docsv1.SubmitResponse{}, bodies: map[string][]byte{}, changed: make(chan struct{})}
	o.content, _ = ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil)
	o.append("ada", 0, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Created{Created: &docsv1.Created{Title: "T", Delta: insert(0, text).JSON()}}}, insert(0, text))
	o.append("ada", 0, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: "U"}}}, ot.Delta{})
	return o
}

func (o *owner) version() uint64 { return uint64(len(o.log)) }

func (o *owner) append(actor string, mutation uint64, e *docsv1.DocumentEvent, edit ot.Delta) {
	e.Actor = actor
	body, err := proto.Marshal(e)
	if err == nil {
		err = o.content.Apply(edit)
	}
	if err != nil {
		panic(err)
	}
	o.edits = append(o.edits, edit)
	o.log = append(o.log, &edgev1.Event{Offset: uint64(len(o.log) + 1), Mutation: mutation, Body: body})
	close(o.changed)
	o.changed = make(chan struct{})
}

func refused(code edgev1.Code, reason string) *edgev1.Error {
	return &edgev1.Error{Code: code, Reason: reason, Message: "No: " + reason}
}

// submit does what is asked for once for each key.
func (o *owner) submit(user, clientID string, seq uint64, body []byte) (*docsv1.SubmitResponse, *edgev1.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := clientID + "/" + strconv.FormatUint(seq, 10)
	if known, ok := o.bodies[key]; ok && !bytes.Equal(known, body) {
		o.faults = append(o.faults, "another request under "+key)
	}
	o.bodies[key] = body
	if a := o.answers[key]; a != nil {
		return a, nil
	}
	var q docsv1.SubmitRequest
	if err := proto.Unmarshal(body, &q); err != nil {
		return nil, refused(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA")
	}
	switch {
	case o.refuse != nil:
		return nil, o.refuse
	case q.GetEpoch() != 0 && q.GetEpoch() != o.epoch:
		return nil, refused(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
	case q.GetBase() > o.version():
		return nil, refused(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE")
	case q.GetBase() < o.floor:
		return nil, refused(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
	}
	delta, err := ot.Parse([]byte(q.GetDelta()), ot.DefaultLimits())
	for _, before := range o.edits[q.GetBase():] {
		if err == nil && before.Count() > 0 {
			delta, err = before.Transform(delta, ot.Earlier, nil)
		}
	}
	if err == nil {
		err = o.content.Clone().Apply(delta)
	}
	if err != nil {
		o.faults = append(o.faults, "an edit that does not fit: "+err.Error())
		return nil, refused(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END")
	}
	o.append(user, client.Mutation(clientID, seq), &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta.JSON()}}}, delta)
	o.answers[key] = &docsv1.SubmitResponse{Version: o.version(), Epoch: o.epoch}
	return o.answers[key], nil
}

func (o *owner) read(q *docsv1.ReadDocumentRequest) *docsv1.ReadDocumentResponse {
	o.mu.Lock()
	defer o.mu.Unlock()
	content, _ := ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil)
	version := o.version()
	if q.GetVersion() != 0 {
		version = q.GetVersion()
	}
	for _, e := range o.edits[:version] {
		if err := content.Apply(e); err != nil {
			panic(err)
		}
	}
	end := content.Len()
	if o.part > 0 {
		end = min(end, int(q.GetAfter())+o.part)
	}
	part, err := content.Slice(int(q.GetAfter()), end)
	if err != nil {
		end++
		part, _ = content.Slice(int(q.GetAfter()), end)
	}
	hash := content.Hash()
	return &docsv1.ReadDocumentResponse{Delta: part.JSON(), Version: version, Epoch: o.epoch, Length: uint32(content.Len()), More: end < content.Len(), Hash: hash[:]}
}

// rewrite makes the log another one that agrees with what was there up to a version, as a backup does.
func (o *owner) rewrite(version uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	o.log, o.edits = o.log[:version:version], o.edits[:version:version]
	o.content, _ = ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil)
	for _, e := range o.edits {
		if err := o.content.Apply(e); err != nil {
			panic(err)
		}
	}
	for key, a := range o.answers {
		if a.GetVersion() > version {
			delete(o.answers, key)
		}
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *owner) hash() [sha256.Size]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.content.Hash()
}

func insert(at int, text string) ot.Delta {
	var b ot.Builder
	d, err := b.Retain(at, nil).Insert(text, nil).Delta()
	if err != nil {
		panic(err)
	}
	return d
}

func remove(at, n int) ot.Delta {
	var b ot.Builder
	d, err := b.Retain(at, nil).Delete(n).Delta()
	if err != nil {
		panic(err)
	}
	return d
}

// text is a document's.
func text(d *ot.Document) string { return inserted(d.Delta()) }

type noToken struct{}

func (noToken) Token(context.Context, string) (string, error) { return "token", nil }

// offline is a client that never runs: what it would be asked for is taken by the test.
func offline(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Server: "http://plenum.test", Tokens: noToken{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustSubmit(base uint64, edit ot.Delta) []byte {
	body, err := proto.Marshal(&docsv1.SubmitRequest{Document: "d", Base: base, Delta: edit.JSON()})
	if err != nil {
		panic(err)
	}
	return body
}
