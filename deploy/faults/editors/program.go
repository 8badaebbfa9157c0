package editors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/versions"
	"plenum.internal/docs/ot"
)

// How often what happens to programs happens: one operation in so many.
const (
	deaths  = 120
	breaks  = 120
	undoing = 14
	asking  = 20 // comments and reads
	offline = 20 // operations, at most, without a network
)

// program is one that somebody edits documents with, over all of its runs. A goroutine owns it.
type program struct {
	e         *Editors
	client    int
	person    *check.Person
	window    *window // of the same person
	door      check.Door
	transport string
	typist    typist
	record    *record
	documents []*document

	number int                 // of the last edit
	away   int                 // operations until it has its network again
	runs   int                 // that began
	mine   map[*document][]int // edits, as they stand in the document's list
	now    atomic.Pointer[run] // the present run
}

// run is one run of a program.
type run struct {
	dir    string
	net    *leash
	client *client.Client
	open   map[*document]*doc.Document
	stop   func() error // ends it in order, but for what the leash has cut
}

// begin starts a run, which goes on from what the files in dir hold.
func (p *program) begin(dir string) (err error) {
	r := &run{dir: dir, net: newLeash(), open: map[*document]*doc.Document{}}
	outbox, err := client.OpenOutbox(filepath.Join(dir, "outbox"))
	if err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // until stop
	var running sync.WaitGroup
	r.stop = func() error {
		cancel()
		running.Wait()
		var errs []error
		for _, d := range r.open {
			errs = append(errs, d.Close())
		}
		r.net.close()
		return errors.Join(append(errs, outbox.Close())...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("editors: %w", err), r.stop())
		}
	}()
	if r.client, err = client.New(client.Config{
		Server: p.door.Server, Others: p.door.Others, Tokens: p.person.Account, Outbox: outbox, Agent: "faults",
		Dial: client.DialBy(p.transport, r.net.client()), HTTP: r.net.client(), Watch: p.record.begin(outbox.ClientID()),
	}); err != nil {
		return err
	}
	for _, d := range p.documents {
		refused := func(r doc.Refused) { p.e.trouble(p.client, "an edit of document %s was refused: %v", d.id, r.Cause) }
		open, err := doc.Open(doc.Config{Client: r.client, Document: d.id, File: filepath.Join(dir, d.id), OnRefused: refused})
		if err != nil {
			return err
		}
		r.open[d] = open
	}
	running.Go(func() {
		if err := r.client.Run(ctx); err != nil {
			p.e.trouble(p.client, "its client has ended: %v", err)
		}
	})
	for d, open := range r.open {
		running.Go(func() {
			if err := open.Run(ctx); err != nil {
				p.e.trouble(p.client, "document %s has ended: %v", d.id, err)
			}
		})
	}
	p.runs++
	p.now.Store(r)
	return nil
}

// ready waits until the program shows its documents.
func (p *program) ready(ctx context.Context) error {
	for d, open := range p.now.Load().open {
		select {
		case <-open.Ready():
		case <-ctx.Done():
			return fmt.Errorf("%s does not get document %s: %+v", p.person.Handle, d.id, p.now.Load().client.State())
		}
	}
	return nil
}

// die ends the run as kill -9 does, and begins the next one from the files as they are at that moment. What was not written is lost; what was
// sent is on its way, and nobody knows what becomes of it.
func (p *program) die() error {
	r := p.now.Load()
	r.net.cut()
	p.record.end()
	next := p.dir(p.runs + 1)
	if err := os.Mkdir(next, 0o700); err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	// The outbox last: a number that a document has written down is spent there before.
	for _, name := range append(names(p.documents), "outbox") {
		data, err := os.ReadFile(filepath.Join(r.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(next, name), data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("editors: %w", err)
		}
	}
	if err := r.stop(); err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	p.away = 0
	return p.begin(next)
}

func (p *program) dir(run int) string {
	return filepath.Join(p.e.cfg.Dir, fmt.Sprintf("program-%d.%d", p.client, run))
}

func names(documents []*document) (out []string) {
	for _, d := range documents {
		out = append(out, d.id)
	}
	return out
}

// work does one thing after the other until ctx ends, and returns when all of it is known to be taken, or answered ends.
func (p *program) work(ctx, answered context.Context) {
	tick := time.NewTicker(p.e.cfg.Pause)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-tick.C:
		}
		if err := p.act(answered); err != nil {
			p.e.trouble(p.client, "%v", err)
			return
		}
	}
	p.now.Load().net.mend()
	for d, open := range p.now.Load().open {
		if _, err := open.Sync(answered); err != nil {
			p.e.trouble(p.client, "document %s: what was typed is not taken: %v", d.id, err)
			continue
		}
		d.change(func(d *document) {
			for _, i := range p.mine[d] {
				d.edits[i].Known = true
			}
		})
	}
}

// act does one thing.
func (p *program) act(answered context.Context) error {
	d := p.documents[p.typist.IntN(len(p.documents))]
	if p.away > 0 {
		if p.away--; p.away == 0 {
			p.now.Load().net.mend()
		}
	}
	switch {
	case p.typist.IntN(deaths) == 0:
		return p.die()
	case p.typist.IntN(breaks) == 0 && p.away == 0:
		p.now.Load().net.cut()
		p.away = 1 + p.typist.IntN(offline)
	}
	open := p.now.Load().open[d]
	shown, version, err := p.look(d, open)
	if err != nil {
		return err
	}
	switch {
	case p.typist.IntN(asking) == 0:
		p.window.ask(answered, rand.New(rand.NewPCG(p.typist.Uint64(), 0)), d, shown, version)
		return nil
	case p.typist.IntN(undoing) == 0:
		return p.undo(d, open)
	}
	return p.edit(d, open)
}

// look is what the program shows. The version is 0 unless that is the server's: then it is kept for the verdict.
func (p *program) look(d *document, open *doc.Document) (shown *ot.Document, version uint64, err error) {
	before := open.Status()
	if shown, err = open.Content(); err != nil {
		return nil, 0, fmt.Errorf("editors: %w", err)
	}
	if after := open.Status(); before.Pending || after.Pending || before.Version != after.Version {
		return shown, 0, nil
	}
	d.saw(versions.Content{Client: p.client, How: versions.Shown, Version: before.Version, Hash: shown.Hash(), Call: p.e.now()})
	return shown, before.Version, nil
}

// edit types something.
func (p *program) edit(d *document, open *doc.Document) error {
	e := versions.Edit{Client: p.client, Number: p.number + 1}
	if err := open.Edit(func(shown *ot.Document) (edit ot.Delta, err error) {
		edit, e.Action, err = p.typist.edit(pageOf(shown), e.Mark())
		return edit, err
	}); err != nil {
		return fmt.Errorf("document %s: %s: %w", d.id, e.Action, err)
	}
	p.number++
	p.mine[d] = append(p.mine[d], d.typed(e))
	return nil
}

// undo takes back what was typed last, or does it again. Whose marks went and came by it can be seen: nobody else deletes them.
func (p *program) undo(d *document, open *doc.Document) error {
	marks := func() (map[string]bool, error) {
		shown, err := open.Content()
		if err != nil {
			return nil, fmt.Errorf("editors: %w", err)
		}
		return pageOf(shown).own(p.client), nil
	}
	before, err := marks()
	if err != nil {
		return err
	}
	do := open.Undo
	if p.typist.IntN(3) == 0 {
		do = open.Redo
	}
	if _, err := do(); err != nil {
		return fmt.Errorf("document %s: undo: %w", d.id, err)
	}
	now, err := marks()
	if err != nil || maps.Equal(before, now) {
		return err
	}
	d.change(func(d *document) {
		for _, i := range p.mine[d] {
			e := &d.edits[i]
			switch mark := e.Mark(); {
			case before[mark] && !now[mark]:
				e.Undone = true
			case !before[mark] && now[mark]:
				e.Undone, e.Redone = false, true
			}
		}
	})
	return nil
}

// keeps waits until a program has all of a document up to a version, and says what it has.
func (p *program) keeps(ctx context.Context, d *document, head uint64) error {
	open := p.now.Load().open[d]
	if err := open.Reach(ctx, head); err != nil {
		p.e.trouble(p.client, "document %s: version %d is not reached: %v", d.id, head, err)
	}
	shown, err := open.Content()
	if err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	d.saw(versions.Content{Client: p.client, How: versions.Kept, Version: open.Status().Version, Hash: shown.Hash(), Call: p.e.now()})
	return nil
}
