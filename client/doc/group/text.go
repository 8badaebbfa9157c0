// Package group is many editors of one document in one process, for load tests: each is a client of its own to the server, and what all of them are
// told is read once.
package group

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Text is a document as far as anybody in the process was told of it. Safe for concurrent use.
type Text struct {
	mu       sync.Mutex // guards all below
	start    *ot.Document
	first    uint64 // version of start
	events   []event
	versions map[uint64]uint64      // of mutations: of the last keptVersions to twice as many
	older    map[uint64]uint64      // those before
	due      map[uint64][]time.Time // by mutation: when its parts were due, until its event has come
	editors  []*Editor
	hashOf   uint64 // version that hash is of; 0: none
	hash     [sha256.Size]byte
}

// event is what made a version.
type event struct {
	body     []byte // as it was told
	mutation uint64
	edit     ot.Delta
	content  *ot.Document // behind it; never changed
	due      []time.Time
	twice    bool // the mutation has made another version before
}

const (
	keptEvents   = 1 << 16 // behind the editor that is furthest behind
	keptVersions = 1 << 14
	pruneEvery   = 1 << 8
)

// What an editor was told that can't be.
var (
	ErrOther   = errors.New("group: the event is another one than others were told of this version")
	ErrHole    = errors.New("group: events before this one are missing")
	ErrBehind  = errors.New("group: the editor is too far behind the others")
	ErrDiverge = errors.New("group: the server has made something else of the edit")
)

// NewText makes a document of its content, a delta, and the content's version.
func NewText(version uint64, delta string) (*Text, error) {
	d, err := ot.Parse([]byte(delta), ot.Unlimited())
	if err != nil {
		return nil, fmt.Errorf("group: read the content: %w", err)
	}
	content, err := ot.NewDocument(d, ot.Unlimited(), nil)
	if err != nil {
		return nil, fmt.Errorf("group: read the content: %w", err)
	}
	return &Text{start: content, first: version, versions: map[uint64]uint64{}, due: map[uint64][]time.Time{}}, nil
}

// newest needs the lock.
func (t *Text) newest() uint64 { return t.first + uint64(len(t.events)) }

// contentAt needs the lock. The version has to be kept.
func (t *Text) contentAt(version uint64) *ot.Document {
	if version == t.first {
		return t.start
	}
	return t.events[version-t.first-1].content
}

// Take takes over what made a version, as an event's body has it. Who is the first to be told reads it, and the others compare.
func (t *Text) Take(version, mutation uint64, body []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.take(version, mutation, body)
	return err
}

// take needs the lock.
func (t *Text) take(version, mutation uint64, body []byte) (*event, error) {
	switch newest := t.newest(); {
	case version <= t.first:
		return nil, ErrBehind
	case version <= newest:
		e := &t.events[version-t.first-1]
		if e.mutation != mutation || !bytes.Equal(e.body, body) {
			return nil, ErrOther
		}
		return e, nil
	case version > newest+1:
		return nil, ErrHole
	}
	edit, err := parse(body)
	if err != nil {
		return nil, err
	}
	content := t.contentAt(version - 1)
	if edit.Count() > 0 {
		content = content.Clone()
		if err := content.Apply(edit); err != nil {
			return nil, fmt.Errorf("group: version %d: %w", version, err)
		}
	}
	if version%pruneEvery == 0 {
		t.prune()
	}
	t.events = append(t.events, event{bytes.Clone(body), mutation, edit, content, t.due[mutation], t.storedBefore(mutation, version)})
	delete(t.due, mutation)
	return &t.events[len(t.events)-1], nil
}

// parse reads an event's edit; empty: the content stays.
func parse(body []byte) (ot.Delta, error) {
	var e docsv1.DocumentEvent
	if err := proto.Unmarshal(body, &e); err != nil {
		return ot.Delta{}, fmt.Errorf("group: read an event: %w", err)
	}
	text := e.GetEdited().GetDelta()
	if text == "" {
		return ot.Delta{}, nil
	}
	edit, err := ot.Parse([]byte(text), ot.Unlimited())
	if err != nil {
		return ot.Delta{}, fmt.Errorf("group: read an edit: %w", err)
	}
	return edit, nil
}

// storedBefore notes a mutation's version, and tells whether it has another one, too. It needs the lock.
func (t *Text) storedBefore(mutation, version uint64) bool {
	if mutation == 0 {
		return false
	}
	_, known := t.versions[mutation]
	if !known {
		_, known = t.older[mutation]
	}
	if len(t.versions) >= keptVersions {
		t.versions, t.older = make(map[uint64]uint64, keptVersions), t.versions
	}
	t.versions[mutation] = version
	return known
}

// prune forgets what all editors have passed; without any, what is so old that nobody can have it as a base. It needs the lock.
func (t *Text) prune() {
	passed := t.newest()
	if len(t.editors) == 0 {
		passed = t.first
	}
	for _, e := range t.editors {
		passed = min(passed, e.version)
	}
	if behind := t.newest() - passed; behind > keptEvents { // then nobody waits for who is behind
		passed += behind - keptEvents
	}
	if passed <= t.first {
		return
	}
	t.start = t.contentAt(passed)
	n := copy(t.events, t.events[passed-t.first:])
	clear(t.events[n:])
	t.events, t.first = t.events[:n], passed
}

// Follow transforms an edit of a version to follow what came since, as a server does.
func (t *Text) Follow(base uint64, delta string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err := ot.Parse([]byte(delta), ot.Unlimited())
	if err != nil {
		return "", fmt.Errorf("group: read an edit: %w", err)
	}
	if base < t.first || base > t.newest() {
		return "", ErrBehind
	}
	for _, before := range t.events[base-t.first:] {
		if d, err = before.edit.Transform(d, ot.Earlier, nil); err != nil {
			return "", fmt.Errorf("group: transform an edit: %w", err)
		}
	}
	return d.JSON(), nil
}

// Content is the newest that is known: a delta, its length in code units, and its hash as ReadDocument tells it.
func (t *Text) Content() (version uint64, delta string, length int, hash [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	version = t.newest()
	content := t.contentAt(version)
	return version, string(content.AppendJSON(nil)), content.Len(), t.hashAt(version)
}

// hashAt needs the lock. The version has to be kept.
func (t *Text) hashAt(version uint64) [sha256.Size]byte {
	if t.hashOf != version {
		t.hashOf, t.hash = version, t.contentAt(version).Hash()
	}
	return t.hash
}
