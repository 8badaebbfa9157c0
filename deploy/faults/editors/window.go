package editors

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"plenum.internal/client/doc"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/versions"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of one window.
const (
	pulsePause = 200 * time.Millisecond
	maxWaiting = 16               // comments and reads without an answer; while there are as many, it asks for none
	maxThreads = 100              // of a document; then people answer
	readTime   = 10 * time.Second // for a read: nothing is known without an answer
)

// window is another program of a person's, which never ends. It calls the service itself, and keeps the pulse of one document.
type window struct {
	e        *Editors
	client   int
	person   *check.Person
	docs     docsv1.DocsServiceClient
	document *document
	slots    chan struct{} // one is taken by what has no answer
	waits    sync.WaitGroup
}

// pulse sends an edit whenever the one before it is answered, until ctx ends: so it is known when the document can be written.
func (w *window) pulse(ctx, answered context.Context) {
	d := w.document
	tick := time.NewTicker(pulsePause)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e := versions.Edit{Client: w.client, Number: n, Action: pulsed}
		edit, err := new(ot.Builder).Insert(e.Mark(), nil).Delta()
		if err != nil {
			w.e.trouble(w.client, "%v", err)
			return
		}
		at := d.typed(e)
		p := versions.Pulse{Client: w.client, Call: w.e.now()}
		_, err = w.docs.Submit(answered, &docsv1.SubmitRequest{Document: d.id, Base: d.head.Load(), Epoch: d.epoch, Delta: edit.JSON()})
		p.Return = w.e.now()
		d.change(func(d *document) {
			d.pulses = append(d.pulses, p)
			d.edits[at].Known = err == nil
		})
		if err != nil {
			w.e.trouble(w.client, "the pulse of document %s has ended: %v", d.id, err)
			return
		}
		tick.Reset(pulsePause)
	}
}

// ask comments on what the person's program shows, or reads, without waiting for the answer. shown is of a version, or 0.
func (w *window) ask(ctx context.Context, random *rand.Rand, d *document, shown *ot.Document, version uint64) {
	select {
	case w.slots <- struct{}{}:
	default: // enough waits
		return
	}
	w.waits.Go(func() {
		defer func() { <-w.slots }()
		switch random.IntN(4) {
		case 0:
			w.read(ctx, d, 0)
		case 1:
			w.read(ctx, d, 1+random.Uint64N(d.head.Load()))
		default:
			w.comment(ctx, random, d, shown, version)
		}
	})
}

// read reads a version; 0: the newest.
func (w *window) read(ctx context.Context, d *document, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	c := versions.Content{Client: w.client, How: versions.Read, Call: w.e.now(), Newest: version == 0}
	content, at, err := doc.Read(ctx, w.person.Client, d.id, version)
	if err != nil {
		if check.Code(err) < edgev1.Code_CODE_UNAVAILABLE && ctx.Err() == nil {
			w.e.trouble(w.client, "version %d of document %s can't be read: %v", version, d.id, err)
		}
		return
	}
	c.Version, c.Hash = at.GetOffset(), content.Hash()
	d.saw(c)
}

// comment begins a thread at what is shown, or goes on in one. What becomes of it is recorded.
func (w *window) comment(ctx context.Context, random *rand.Rand, d *document, shown *ot.Document, version uint64) {
	var threads []uint64
	d.change(func(d *document) { threads = slices.Clone(d.threads) })
	page := pageOf(shown)
	from := page.free(random.IntN(len(page) + 1))
	to := page.free(min(len(page), from+1+random.IntN(reach)))
	switch dice := random.IntN(3); {
	case version != 0 && from < to && len(threads) < maxThreads && (dice == 0 || len(threads) == 0):
		answer, err := w.docs.CreateThread(ctx, &docsv1.CreateThreadRequest{
			Document: d.id, Base: version, Epoch: d.epoch, From: uint32(from), To: uint32(to), Text: "Is that so?",
		})
		if err == nil {
			d.change(func(d *document) { d.threads = append(d.threads, answer.GetThread()) })
		}
	case len(threads) == 0:
	case dice == 1:
		_, _ = w.docs.ResolveThread(ctx, &docsv1.ResolveThreadRequest{
			Document: d.id, Thread: threads[random.IntN(len(threads))], Resolved: random.IntN(2) == 0,
		})
	default:
		_, _ = w.docs.AddComment(ctx, &docsv1.AddCommentRequest{Document: d.id, Thread: threads[random.IntN(len(threads))], Text: "It is."})
	}
}
