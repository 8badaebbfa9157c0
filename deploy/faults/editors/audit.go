package editors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

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
	if err := e.compare(ctx); err != nil {
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
		out.Log, out.Ways = d.log, d.ways
		d.change(func(d *document) { out.Edits, out.Contents, out.Pulses = d.edits, d.contents, d.pulses })
	}
	h.Clients = e.clients()
	return h, h.Check(), nil
}

// audit reads what the service says of a document in the end, and waits for the programs to have the same.
func (e *Editors) audit(ctx context.Context, d *document, out *versions.Document) error {
	docs := e.windows[0].docs
	*out = versions.Document{ID: d.id, Home: d.home, Epoch: d.epoch, Base: d.base}
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

// read goes on in every document's log, in one way.
func (e *Editors) read(ctx context.Context, a *check.Auditor, p *check.Person) error {
	for _, d := range e.documents {
		err := a.Read(ctx, p, topicPrefix+d.id, d.epoch, d.head.Load(), func(event *edgev1.Event) error {
			stamp := stampOf(event)
			if a == e.auditors[0] {
				decoded, err := decode(event)
				if err != nil {
					return err
				}
				d.log = append(d.log, decoded)
			}
			d.ways[a.Way] = append(d.ways[a.Way], stamp)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare reads the rest of every document's log, and some of its versions, in every way.
func (e *Editors) compare(ctx context.Context) error {
	random := rand.New(rand.NewPCG(e.cfg.Seed, editorStream-1))
	for i, a := range e.auditors {
		err := a.Visit(ctx, func(ctx context.Context, a *check.Auditor, p *check.Person) error {
			if err := e.read(ctx, a, p); err != nil {
				return err
			}
			for _, d := range e.documents {
				if err := e.versions(ctx, p, e.auditor(i), d, random); err != nil {
					return fmt.Errorf("document %s: %w", d.id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// auditor is the client that the i-th auditor counts as: the window of the person whom it is signed in as.
func (e *Editors) auditor(i int) int { return len(e.people) + i%len(e.people) }

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
