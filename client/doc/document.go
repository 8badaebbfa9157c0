package doc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"plenum.internal/client"
	"plenum.internal/client/internal/journal"
	"plenum.internal/docs/ot"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Config says which document, over which client, and what to keep.
type Config struct {
	Client *client.Client
	// Document is its id.
	Document string
	// File keeps what was typed and not acknowledged, and the content that it edits, so that it can be edited offline and by a later run. One
	// process may have it open at a time: else client.ErrInUse. The client's outbox has to be in a file, too, and stay the same one. Empty:
	// all is lost with the process.
	File string
	// OnChange hears how what is shown has changed by others, in order, from Run's goroutine. OnRefused hears of edits that the server will
	// not take. Both are called under the document's lock: they must neither block nor call its methods.
	OnChange  func(Change)
	OnRefused func(Refused)
	// Now is the clock for undoing and for cursors. Nil: time.Now.
	Now func() time.Time
	// Log hears about what is mended. Nil: silence.
	Log *slog.Logger
}

// Change is how what is shown has changed.
type Change struct {
	Delta   ot.Delta
	Version uint64 // that the content is of now
	Actor   string // whose edit it is; "": it was read anew, or an edit was refused
}

// Document is a co-edited document. Its methods may be called by any goroutine, before Run and while it runs.
type Document struct {
	cfg   Config
	wake  chan struct{} // signals Run; capacity 1
	ready chan struct{} // closed once there is content

	mu sync.Mutex // guards all below, and the state's
	*state
	sender   string // the client_id that sent what is under way
	file     *journal.Journal
	unsaved  []record // inputs since the last write, which may be lost: the server has them
	bytes    int      // of unsaved
	basis    int      // size of the file when its state was written
	past     bool     // what the file holds is of before the state was replaced: it is to be written anew
	progress chan struct{}
	rejected error // by what an edit was refused since the last one was typed; nil: none was
	ended    error // Run's
	running  bool
	closed   bool
	anchor   int // own cursor
	head     int
	pointing bool
	typedAt  time.Time
}

// What is kept in memory before it is written, and how long the file becomes.
const (
	unsavedBytes = 256 << 10
	compactAfter = 1 << 20 // bytes, beyond twice those that its state took
	pendingUnits = 4 << 20 // of text that waits to be sent
)

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,26}$`)

// ErrNotRead says that the document's content never came: the first time, it takes a connection.
var ErrNotRead = errors.New("this document has not been read here yet: go online first")

// Open reads what the file keeps. It talks to nobody before Run.
func Open(cfg Config) (*Document, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("doc: Client is missing")
	case !validID.MatchString(cfg.Document):
		return nil, fmt.Errorf("%q is no document's id", cfg.Document)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Document{cfg: cfg, state: &state{}, wake: make(chan struct{}, 1), ready: make(chan struct{}), progress: make(chan struct{})}
	if cfg.File == "" {
		d.sender = cfg.Client.Outbox().ClientID()
		return d, nil
	}
	file, err := journal.Open(cfg.File, d.read)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.File, err)
	}
	d.file, d.basis = file, file.Size
	if err := d.adopt(); err != nil {
		_ = file.Close()
		return nil, err
	}
	return d, nil
}

// adopt makes what was read this client's.
func (d *Document) adopt() error {
	me := d.cfg.Client.Outbox().ClientID()
	if d.sent != nil && d.sender != me {
		// Another client_id's numbers mean nothing to the server from us: whether it was done can't be asked any more.
		cause := &client.Error{Code: edgev1.Code_CODE_OUTCOME_UNKNOWN, Reason: "client.OTHER_OUTBOX",
			Message: "This edit was sent with another outbox. Look whether it is there, and make it anew if it is not."}
		if _, _, err := d.refuse(cause, false, d.cfg.Now()); err != nil {
			return err
		}
	}
	d.sender, d.history = me, history{}
	if d.version != 0 {
		close(d.ready)
		return d.compact()
	}
	return nil
}

// Close closes the file. End Run before.
func (d *Document) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	err := d.save()
	if d.closed = true; d.file != nil {
		err = errors.Join(err, d.file.Close())
	}
	return err
}

// Ready is closed once there is content to show: at once, where the file has it.
func (d *Document) Ready() <-chan struct{} { return d.ready }

// Content is what is shown: the server's content with what is not acknowledged yet. It is the caller's own.
func (d *Document) Content() (*ot.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.version == 0 {
		return nil, ErrNotRead
	}
	return d.shown.Clone(), nil
}

// Status is how a document stands.
type Status struct {
	Epoch, Version uint64 // of the server's content that is known
	Pending        bool   // something was typed that is not acknowledged
	Refused        int    // edits that the server did not take
}

// Status returns how the document stands.
func (d *Document) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Status{d.epoch, d.version, d.pending(), len(d.refused)}
}

// Edit changes what is shown. change gets the content that it is to edit, its own copy, and returns the edit, perhaps an empty one; it is called
// under the document's lock.
// When Edit returns, the edit is on disk if there is a file. It fails where the edit doesn't fit (an *ot.Error), and where it can't be kept.
func (d *Document) Edit(change func(shown *ot.Document) (ot.Delta, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.editable(); err != nil {
		return err
	}
	edit, err := change(d.shown.Clone())
	if err != nil || edit.Count() == 0 {
		return err
	}
	back, err := d.edit(edit)
	if err == nil {
		d.history.typed(back, d.cfg.Now())
		d.rejected = nil
	}
	return err
}

// Undo takes the user's newest edit back that still can be, and nobody else's; Redo does again what Undo took back last. They report false where
// there is none.
func (d *Document) Undo() (bool, error) {
	return d.step(func(h *history) (from, to *[]ot.Delta) { return &h.undo, &h.redo })
}

// Redo does again what Undo took back last.
func (d *Document) Redo() (bool, error) {
	return d.step(func(h *history) (from, to *[]ot.Delta) { return &h.redo, &h.undo })
}

func (d *Document) step(lists func(*history) (from, to *[]ot.Delta)) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.editable(); err != nil {
		return false, err
	}
	h := &d.history
	from, to := lists(h)
	step, ok := h.take(from)
	if !ok {
		return false, nil
	}
	back, err := d.edit(step)
	if err != nil {
		h.push(from, step)
		return false, err
	}
	h.push(to, back)
	return true, nil
}

// editable says why nothing can be typed now. It needs the lock.
func (d *Document) editable() error {
	switch {
	case d.closed:
		return errors.New("doc: the document is closed")
	case d.version == 0:
		return ErrNotRead
	case len(d.refused) >= maxRefused:
		return fmt.Errorf("the server refused %d edits, which are kept: look at them and forget them first", len(d.refused))
	case d.buffer.Length()-d.buffer.BaseLength() > pendingUnits:
		return errors.New("too much waits to be sent: go online first")
	}
	return nil
}

// edit keeps an edit and shows it; it returns what takes it back. It needs the lock.
func (d *Document) edit(edit ot.Delta) (back ot.Delta, err error) {
	if _, err := d.try(edit); err != nil {
		return ot.Delta{}, err
	}
	if back, err = d.shown.Invert(edit); err != nil {
		return ot.Delta{}, err
	}
	if err := d.save(record{Edit: &delta{edit}}); err != nil {
		return ot.Delta{}, fmt.Errorf("keep the edit: %w", err)
	}
	if err := d.state.edit(edit); err != nil {
		return ot.Delta{}, err
	}
	d.typedAt = d.cfg.Now()
	d.signal()
	return back, nil
}

// Refused are the edits that the server did not take, oldest first. They are kept until they are forgotten.
func (d *Document) Refused() []Refused {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Refused(nil), d.refused...)
}

// Forget drops a refused edit.
func (d *Document) Forget(id uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.save(record{Forget: id}); err != nil {
		return err
	}
	d.forget(id)
	return nil
}

// Sync waits until all that was typed is acknowledged, and returns the version that is known then. Its error is the *client.Error by which an
// edit was refused since the last call of Edit, or why Run has ended, or that of ctx: then it still waits to be sent.
func (d *Document) Sync(ctx context.Context) (uint64, error) {
	for {
		d.mu.Lock()
		version, pending, rejected, ended, progress := d.version, d.version == 0 || d.pending(), d.rejected, d.ended, d.progress
		d.mu.Unlock()
		switch {
		case rejected != nil:
			return version, rejected
		case !pending:
			return version, nil
		case ended != nil:
			return version, ended
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return version, ctx.Err()
		}
	}
}

// Reach waits until the content is at least of a version: one that the program was told elsewhere, and wants to edit from.
func (d *Document) Reach(ctx context.Context, version uint64) error {
	for {
		d.mu.Lock()
		there, ended, progress := d.version, d.ended, d.progress
		d.mu.Unlock()
		switch {
		case there != 0 && there >= version:
			return nil
		case ended != nil:
			return ended
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Point tells others where the user is, in code units of what is shown; Leave that they are not there any more.
func (d *Document) Point(anchor, head int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.anchor, d.head, d.pointing = anchor, head, true
	d.signal()
}

// Leave tells others that the user has left the document.
func (d *Document) Leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pointing = false
	d.signal()
}

// Cursors is where others are, as far as they said so lately.
func (d *Document) Cursors() []Cursor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.version == 0 {
		return nil
	}
	return d.cursors(d.cfg.Now())
}

// signal wakes Run.
func (d *Document) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// moved tells those who wait in Sync. It needs the lock.
func (d *Document) moved() {
	close(d.progress)
	d.progress = make(chan struct{})
}

// later notes an input that may be lost with the process, since the server has it. It needs the lock.
func (d *Document) later(r record, size int) error {
	if d.file == nil {
		return nil
	}
	if last := len(d.unsaved) - 1; last >= 0 && len(r.Events) > 0 && len(d.unsaved[last].Events) > 0 {
		d.unsaved[last].Events = append(d.unsaved[last].Events, r.Events...)
	} else {
		d.unsaved = append(d.unsaved, r)
	}
	if d.bytes += size + 64; d.bytes > unsavedBytes {
		return d.save()
	}
	return nil
}

// save writes inputs, and those before them that were not written yet, as one record of the file: all are there after a crash, or none. It
// needs the lock.
func (d *Document) save(records ...record) error {
	if d.closed {
		return errors.New("doc: the document is closed")
	}
	if d.past {
		if err := d.compact(); err != nil {
			return err
		}
	}
	all := append(d.unsaved[:len(d.unsaved):len(d.unsaved)], records...)
	if d.file == nil || len(all) == 0 {
		return nil
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := d.file.Append(data); err != nil {
		return err
	}
	d.unsaved, d.bytes = nil, 0
	return nil
}

// compact writes the file anew, with the state alone. It needs the lock.
func (d *Document) compact() error {
	if d.file == nil || d.version == 0 {
		return nil
	}
	data, err := json.Marshal([]record{d.keep()})
	if err != nil {
		return err
	}
	if err := d.file.Rewrite([][]byte{data}); err != nil {
		return err
	}
	d.unsaved, d.bytes, d.basis, d.past = nil, 0, d.file.Size, false
	return nil
}
