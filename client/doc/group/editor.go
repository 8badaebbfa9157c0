package group

import (
	"crypto/sha256"
	"math/rand/v2"
	"time"

	"plenum.internal/docs/ot"
)

// Editor is one client's side of the protocol (PROTOCOL.md section 11a): the version that it was told of, one edit under way, and behind it what was
// typed meanwhile. Not safe for concurrent use.
//
// Invariant: its content is the text's of its version, for each of its events was compared with what others were told.
type Editor struct {
	text    *Text
	r       *rand.Rand
	version uint64 // guarded by the text's mu, too, for writing
	sent    *sent  // nil: nothing is under way
	buffer  ot.Delta
	due     []time.Time // of what is in buffer
	typing  typing
}

// sent is an edit under way.
type sent struct {
	mutation uint64
	delta    ot.Delta // transformed to follow the editor's version
	due      []time.Time
}

// Join adds an editor who has seen nothing behind the text's first version.
func (t *Text) Join(seed uint64) *Editor {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &Editor{text: t, r: rand.New(rand.NewPCG(seed, 4)), version: t.first}
	e.typing.cursor = border(t.start, e.r.IntN(t.start.Len()+1))
	t.editors = append(t.editors, e)
	return e
}

// Leave has the text forget what this editor alone has not passed.
func (e *Editor) Leave() {
	e.text.mu.Lock()
	defer e.text.mu.Unlock()
	for i, other := range e.text.editors {
		if other == e {
			e.text.editors = append(e.text.editors[:i], e.text.editors[i+1:]...)
			return
		}
	}
}

// Version is what the editor was told of.
func (e *Editor) Version() uint64 { return e.version }

// Place is where the editor types, for signals.
func (e *Editor) Place() (version uint64, place int) { return e.version, e.typing.cursor }

// Waiting is when what is not sent yet was due.
func (e *Editor) Waiting() []time.Time { return e.due }

// Told is what an event was to an editor.
type Told struct {
	Own bool        // the edit that was under way
	Due []time.Time // when its parts were due; nil: its author is in another process, or it is no edit
	// Twice: it has made another version before, and this editor is the first to be told.
	Twice bool
}

// Event takes over what the topic told. An error means that the editor's content is not the server's any more.
func (e *Editor) Event(version, mutation uint64, body []byte) (Told, error) {
	if version != e.version+1 {
		return Told{}, ErrHole
	}
	t := e.text
	t.mu.Lock()
	told, err := t.take(version, mutation, body)
	if err != nil {
		t.mu.Unlock()
		return Told{}, err
	}
	edit := told.edit
	out := Told{Due: told.due, Twice: told.twice}
	told.twice = false
	e.version = version
	t.mu.Unlock()
	if e.sent != nil && e.sent.mutation == mutation {
		if !edit.Normal().Equal(e.sent.delta.Normal()) {
			return Told{}, ErrDiverge
		}
		e.sent, out.Own = nil, true
		return out, nil
	}
	return out, e.others(edit)
}

// others takes over an edit of somebody else.
func (e *Editor) others(edit ot.Delta) error {
	if edit.Count() == 0 {
		return nil
	}
	if e.sent != nil {
		mine, after, err := ot.Rebase(e.sent.delta, []ot.Delta{edit}, nil)
		if err != nil {
			return err
		}
		e.sent.delta, edit = mine, after[0]
	}
	if e.buffer.Count() > 0 {
		buffer, after, err := ot.Rebase(e.buffer, []ot.Delta{edit}, nil)
		if err != nil {
			return err
		}
		e.buffer, edit = buffer, after[0]
	}
	e.typing.cursor = edit.TransformPosition(e.typing.cursor, ot.Earlier)
	return nil
}

// shown is what the editor sees: the content, the edit under way, and the buffer.
func (e *Editor) shown() (*ot.Document, error) {
	e.text.mu.Lock()
	if e.version < e.text.first {
		e.text.mu.Unlock()
		return nil, ErrBehind
	}
	shown := e.text.contentAt(e.version).Clone()
	e.text.mu.Unlock()
	if e.sent != nil {
		if err := shown.Apply(e.sent.delta); err != nil {
			return nil, err
		}
	}
	if e.buffer.Count() == 0 {
		return shown, nil
	}
	return shown, shown.Apply(e.buffer)
}

// Type makes the next edit, as people make them, which was due at a time.
func (e *Editor) Type(due time.Time) error {
	shown, err := e.shown()
	if err != nil {
		return err
	}
	before := e.typing
	buffer, err := e.buffer.Compose(e.typing.next(shown, e.r), nil)
	if err == nil && buffer.Count() == 0 { // what waited was taken back: nothing would be sent
		e.typing = before
		buffer, err = e.buffer.Compose(e.typing.letter(e.r), nil)
	}
	if err != nil {
		return err
	}
	e.buffer, e.due = buffer, append(e.due, due)
	return nil
}

// Ready tells that something waits to be sent, and nothing is under way.
func (e *Editor) Ready() bool { return e.sent == nil && e.buffer.Count() > 0 }

// Send has what waits under way, under a name, and returns what to submit.
func (e *Editor) Send(mutation uint64) (base uint64, delta string, due []time.Time) {
	e.sent = &sent{mutation, e.buffer, e.due}
	e.buffer, e.due = ot.Delta{}, nil
	e.text.mu.Lock()
	e.text.due[mutation] = e.sent.due
	e.text.mu.Unlock()
	return e.version, e.sent.delta.JSON(), e.sent.due
}

// At is the hash of the editor's content, if that is of a version.
func (e *Editor) At(version uint64) (hash [sha256.Size]byte, ok bool) {
	e.text.mu.Lock()
	defer e.text.mu.Unlock()
	if e.version != version || version < e.text.first || version > e.text.newest() {
		return hash, false
	}
	return e.text.hashAt(version), true
}
