package editors

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/faults/versions"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// wire is a record of a client with the id c, and what goes over its connection.
type wire struct {
	*record

	t     *testing.T
	d     *document
	watch func(sent bool, frame any)
}

func newWire(t *testing.T) *wire {
	d := &document{id: "D"}
	e := &Editors{byID: map[string]*document{"D": d}}
	now := time.Now()
	e.origin.Store(&now)
	w := &wire{e.newRecord(3), t, d, nil}
	w.watch = w.begin("c")
	return w
}

func (w *wire) call(id uint32, method string, seq uint64, q proto.Message) {
	body, err := proto.Marshal(q)
	if err != nil {
		w.t.Fatal(err)
	}
	w.watch(true, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: id, Method: method[1:], ClientSeq: seq, Body: body}}})
}

func (w *wire) submit(id uint32, seq uint64, delta string) {
	w.call(id, docsv1.DocsService_Submit_FullMethodName, seq, &docsv1.SubmitRequest{Document: "D", Base: 4, Delta: delta})
}

func (w *wire) answer(id uint32, a proto.Message) {
	body, err := proto.Marshal(a)
	if err != nil {
		w.t.Fatal(err)
	}
	w.watch(false, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: id, Result: &edgev1.Reply_Body{Body: body}}}})
}

func (w *wire) refuse(id uint32, code edgev1.Code, reason string) {
	w.watch(false, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: id, Result: &edgev1.Reply_Error{Error: &edgev1.Error{Code: code, Reason: reason}}}}})
}

func (w *wire) event(version, mutation uint64, body string) {
	w.watch(false, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{
		Topic: "docs.document/D", Events: []*edgev1.Event{{Offset: version, Mutation: mutation, Body: []byte(body)}},
	}}})
}

// only is the one request that there is.
func (w *wire) only() versions.Send {
	w.t.Helper()
	sends, _ := w.of(w.d)
	if len(sends) != 1 {
		w.t.Fatalf("%+v", sends)
	}
	return sends[0]
}

func TestARequestIsOneHoweverOftenItIsSent(t *testing.T) {
	w := newWire(t)
	w.submit(1, 7, "x")
	w.refuse(1, edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY") // it comes again
	if s := w.only(); s.Outcome != versions.Unsettled || s.Client != 3 || s.Base != 4 || s.Delta != "x" || s.Mutation != client.Mutation("c", 7) {
		t.Errorf("%+v", s)
	}
	w.watch = w.begin("c") // in another run
	w.submit(1, 7, "x")
	w.answer(1, &docsv1.SubmitResponse{Version: 9, Epoch: 2})
	if s := w.only(); s.Outcome != versions.Done || s.Version != 9 || s.Epoch != 2 || s.Changed {
		t.Errorf("%+v", s)
	}
	if head := w.d.head.Load(); head != 9 {
		t.Errorf("head %d", head)
	}
	w.submit(2, 7, "y")
	if s := w.only(); !s.Changed || s.Delta != "x" {
		t.Errorf("%+v", s)
	}
}

func TestWhatBecomesOfARequest(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		request proto.Message
		reply   func(w *wire)
		want    versions.Send
	}{
		"a thread": {
			docsv1.DocsService_CreateThread_FullMethodName, &docsv1.CreateThreadRequest{Document: "D"},
			func(w *wire) { w.answer(1, &docsv1.CreateThreadResponse{Thread: 5}) }, versions.Send{Kind: versions.Begin, Outcome: versions.Done, Version: 5},
		},
		"a thread whose text is gone": {
			docsv1.DocsService_CreateThread_FullMethodName, &docsv1.CreateThreadRequest{Document: "D"},
			func(w *wire) { w.refuse(1, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE") }, versions.Send{Kind: versions.Begin, Outcome: versions.Gone},
		},
		"a comment": {
			docsv1.DocsService_AddComment_FullMethodName, &docsv1.AddCommentRequest{Document: "D"},
			func(w *wire) { w.answer(1, &docsv1.AddCommentResponse{Comment: 6}) }, versions.Send{Kind: versions.Reply, Outcome: versions.Done, Version: 6},
		},
		"a thread that was resolved": {
			docsv1.DocsService_ResolveThread_FullMethodName, &docsv1.ResolveThreadRequest{Document: "D"},
			func(w *wire) { w.answer(1, &docsv1.ResolveThreadResponse{}) }, versions.Send{Kind: versions.Resolve, Outcome: versions.Done},
		},
		"one that is refused": {
			docsv1.DocsService_Submit_FullMethodName, &docsv1.SubmitRequest{Document: "D"},
			func(w *wire) { w.refuse(1, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE") }, versions.Send{Kind: versions.Submit, Outcome: versions.Refused},
		},
		"one whose event comes first": {
			docsv1.DocsService_Submit_FullMethodName, &docsv1.SubmitRequest{Document: "D"},
			func(w *wire) { w.event(8, client.Mutation("c", 7), "") }, versions.Send{Kind: versions.Submit, Outcome: versions.Heard, Version: 8},
		},
		"one that is answered otherwise than its event says": {
			docsv1.DocsService_Submit_FullMethodName, &docsv1.SubmitRequest{Document: "D"},
			func(w *wire) {
				w.event(8, client.Mutation("c", 7), "")
				w.answer(1, &docsv1.SubmitResponse{Version: 9})
			}, versions.Send{Kind: versions.Submit, Outcome: versions.Done, Version: 9},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.call(1, c.method, 7, c.request)
			c.reply(w)
			if s := w.only(); s.Kind != c.want.Kind || s.Outcome != c.want.Outcome || s.Version != c.want.Version {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestWhatDoesNotCount(t *testing.T) {
	w := newWire(t)
	w.call(1, docsv1.DocsService_GetDocument_FullMethodName, 0, &docsv1.GetDocumentRequest{Document: "D"})
	w.call(2, docsv1.DocsService_Submit_FullMethodName, 7, &docsv1.SubmitRequest{Document: "another"})
	w.answer(1, &docsv1.GetDocumentResponse{})
	w.answer(2, &docsv1.SubmitResponse{Version: 3})
	w.end()
	w.submit(3, 8, "x") // of a run that was cut off before
	if sends, _ := w.of(w.d); len(sends) > 0 {
		t.Errorf("%+v", sends)
	}
}

func TestWhatAClientIsTold(t *testing.T) {
	w := newWire(t)
	w.event(3, 1, "a")
	w.event(4, 2, "b")
	w.watch = w.begin("c")
	w.event(4, 2, "b") // again, after a reconnect
	_, told := w.of(w.d)
	if len(told) != 2 || told[0].Version != 3 || told[1].Version != 4 || told[0].Digest == told[1].Digest {
		t.Fatalf("%+v", told)
	}
	w.event(4, 2, "something else")
	if _, told = w.of(w.d); len(told) != 3 || told[2].Version != 4 || told[2].Digest == told[1].Digest {
		t.Errorf("%+v", told)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"transport": func(c *Config) { c.Transport = "pigeon" },
		"documents": func(c *Config) { c.Documents = 13 },
		"pause":     func(c *Config) { c.Pause = 0 },
		"patience":  func(c *Config) { c.Patience = 0 },
	} {
		cfg := DefaultConfig()
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := Gather(t.Context(), cfg); err == nil {
			t.Errorf("%s: gathered", name)
		}
	}
	if _, err := Gather(t.Context(), DefaultConfig()); err == nil {
		t.Error("gathered nowhere")
	}
}
