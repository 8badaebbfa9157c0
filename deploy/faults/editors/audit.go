package editors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/versions"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// picked is how many versions of a document are read in each way, besides those that are listed.
const picked = 4

// Settle returns the history, with the faults that somebody made, when everybody has caught up.
func (e *Editors) Settle(ctx context.Context, faults []versions.Fault) (*versions.History, versions.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Patience)
	defer cancel()
	h := &versions.History{Faults: faults, Documents: make([]versions.Document, len(e.documents))}
	for i, d := range e.documents {
		if err := e.audit(ctx, d, &h.Documents[i]); err != nil {
			return nil, versions.Verdict{}, fmt.Errorf("editors: document %s: %w", d.id, err)
		}
	}
	if err := e.compare(ctx, h); err != nil {
		return nil, versions.Verdict{}, fmt.Errorf("editors: %w", err)
	}
	for i, d := range e.documents {
		out := &h.Documents[i]
		out.Told = map[int][]versions.Stamp{}
		for client, r := range e.records {
			sends, told := r.of(d)
			out.Sends = append(out.Sends, sends...)
			if len(told) > 0 {
				out.Told[client] = told
			}
		}
		d.change(func(d *document) { out.Edits, out.Contents, out.Pulses = d.edits, d.contents, d.pulses })
	}
	h.Clients = e.clients()
	return h, h.Check(), nil
}

// audit reads what the service says of a document in the end, and waits for the programs to have the same.
func (e *Editors) audit(ctx context.Context, d *document, out *versions.Document) error {
	docs := e.windows[0].docs
	*out = versions.Document{ID: d.id, Home: d.home, Epoch: d.epoch, Base: d.base, Ways: map[string][]versions.Stamp{}}
	cover, err := docs.GetDocument(ctx, &docsv1.GetDocumentRequest{Document: d.id})
	if err != nil {
		return err
	}
	d.reached(cover.GetDocument().GetVersion())
	for _, p := range e.programs {
		if slices.Contains(p.documents, d) {
			if err := p.keeps(ctx, d, d.head.Load()); err != nil {
				return err
			}
		}
	}
	for page := ""; ; {
		list, err := docs.ListThreads(ctx, &docsv1.ListThreadsRequest{Document: d.id, All: true, Limit: 50, Page: page})
		if err != nil {
			return err
		}
		for _, t := range list.GetThreads() {
			out.Threads = append(out.Threads, versions.Thread{
				ID: t.GetId(), From: int(t.GetFrom()), To: int(t.GetTo()), Orphaned: t.GetOrphaned(), Resolved: t.GetResolved(), Comments: int(t.GetCount()),
			})
		}
		out.Listed = list.GetVersion()
		if page = list.GetNext(); page == "" {
			return nil
		}
	}
}

// compare reads every document's log from its beginning, and some of its versions, in every way, by somebody who has seen nothing of it.
func (e *Editors) compare(ctx context.Context, h *versions.History) error {
	random := rand.New(rand.NewPCG(e.cfg.Seed, editorStream-1))
	n := 0
	for way, door := range e.cfg.Ways() {
		reader := n % len(e.people)
		p, err := check.Enter(ctx, door, check.SignIn(e.slug, e.people[reader].Handle, e.password))
		if err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
		for i, d := range e.documents {
			out := &h.Documents[i]
			log, err := readLog(ctx, p, d)
			if err == nil {
				err = e.versions(ctx, p, len(e.programs)+reader, d, random)
			}
			if err != nil {
				p.Close()
				return fmt.Errorf("%s: document %s: %w", way, d.id, err)
			}
			for _, event := range log {
				out.Ways[way] = append(out.Ways[way], event.Stamp)
			}
			if n == 0 {
				out.Log = log
			}
		}
		p.Close()
		n++
	}
	return nil
}

// readLog follows a document from its first version up to its last.
func readLog(ctx context.Context, p *check.Person, d *document) ([]versions.Event, error) {
	sub, err := p.Client.Follow(ctx, topicPrefix+d.id, client.From(&edgev1.Cursor{Epoch: d.epoch}))
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	var log []versions.Event
	for uint64(len(log)) < d.head.Load() {
		u, err := sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		if u.Reset != nil {
			return nil, u.Reset.Cause
		}
		for _, e := range u.Events {
			event, err := decode(e)
			if err != nil {
				return nil, err
			}
			log = append(log, event)
		}
	}
	return log, nil
}

// decode reads an event.
func decode(e *edgev1.Event) (versions.Event, error) {
	out := versions.Event{Stamp: stampOf(e)}
	var body docsv1.DocumentEvent
	if err := proto.Unmarshal(e.GetBody(), &body); err != nil {
		return out, fmt.Errorf("version %d: %w", e.GetOffset(), err)
	}
	out.Actor = body.GetActor()
	switch event := body.GetEvent().(type) {
	case *docsv1.DocumentEvent_Created:
		out.Edit = event.Created.GetDelta()
	case *docsv1.DocumentEvent_Edited:
		out.Edit = event.Edited.GetDelta()
	case *docsv1.DocumentEvent_ThreadCreated:
		out.Thread, out.From, out.To = out.Version, int(event.ThreadCreated.GetFrom()), int(event.ThreadCreated.GetTo())
	case *docsv1.DocumentEvent_CommentAdded:
		out.Thread = event.CommentAdded.GetThread()
	case *docsv1.DocumentEvent_ThreadResolved:
		out.Thread, out.Resolved, out.Open = event.ThreadResolved.GetThread(), event.ThreadResolved.GetResolved(), !event.ThreadResolved.GetResolved()
	}
	return out, nil
}

// versions reads the newest content, some others, and one of those that are listed, which were written down.
func (e *Editors) versions(ctx context.Context, p *check.Person, reader int, d *document, random *rand.Rand) error {
	listed, err := docsv1.NewDocsServiceClient(p.Client).ListVersions(ctx, &docsv1.ListVersionsRequest{Document: d.id, Limit: 200})
	if err != nil {
		return err
	}
	wanted := []versions.Content{{How: versions.Read, Newest: true}}
	for range picked {
		wanted = append(wanted, versions.Content{How: versions.Read, Version: 1 + random.Uint64N(d.head.Load())})
	}
	if all := listed.GetVersions(); len(all) > 0 {
		wanted = append(wanted, versions.Content{How: versions.Written, Version: all[random.IntN(len(all))].GetVersion()})
	}
	for _, c := range wanted {
		c.Client, c.Call = reader, e.now()
		content, at, err := doc.Read(ctx, p.Client, d.id, c.Version)
		if err != nil {
			return fmt.Errorf("version %d: %w", c.Version, err)
		}
		c.Version, c.Hash = at.GetOffset(), content.Hash()
		d.saw(c)
	}
	return nil
}
