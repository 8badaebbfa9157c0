package doc

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// The limits of presence.
const (
	presenceOthers = 500              // cursors of others; the oldest go
	presenceEdits  = 500              // recent edits that places of an older version are transformed over
	presenceBytes  = 4 << 20          // of them
	presenceAge    = 45 * time.Second // then a cursor that was not told again is gone
)

// Cursor is where somebody else is, in code units of what is shown.
type Cursor struct {
	From   string // the sender's user and session, as Signal.from has it
	User   string
	Anchor int // where the selection began
	Head   int // where the cursor is; the same as Anchor: nothing is selected
	Typing bool
}

// place is a cursor as it was told.
type place struct {
	version      uint64 // that anchor and head are of; more than the state's: it is shown once that is reached
	anchor, head int
	typing       bool
	told         time.Time
}

// presence is where others are.
type presence struct {
	me     string // own user id
	places map[string]place
	recent []change // edits, ascending
	from   uint64   // recent has all edits behind this version
	bytes  int
}

// passed notes an event that the content is behind now.
func (p *presence) passed(e change) {
	if e.edit.Count() == 0 {
		return
	}
	p.recent, p.bytes = append(p.recent, e), p.bytes+weight(e.edit)
	for len(p.recent) > presenceEdits || p.bytes > presenceBytes {
		p.from, p.bytes = p.recent[0].version, p.bytes-weight(p.recent[0].edit)
		p.recent = p.recent[1:]
	}
}

// clear forgets where everybody is, for content of a version that was read: the versions that they told mean nothing any more.
func (p *presence) clear(version uint64) { *p = presence{me: p.me, from: version} }

// heard takes over a signal.
func (p *presence) heard(from string, m *docsv1.Presence, now time.Time) {
	if m.GetLeft() {
		delete(p.places, from)
		return
	}
	if p.places == nil {
		p.places = map[string]place{}
	}
	p.places[from] = place{m.GetVersion(), int(m.GetAnchor()), int(m.GetHead()), m.GetTyping(), now}
	maps.DeleteFunc(p.places, func(_ string, at place) bool { return now.Sub(at.told) > presenceAge })
	if len(p.places) > presenceOthers {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(p.places)), func(a, b string) int { return p.places[a].told.Compare(p.places[b].told) })
		delete(p.places, oldest)
	}
}

// cursors are those of others, as what is shown has them.
func (s *state) cursors(now time.Time) []Cursor {
	var out []Cursor
	p := &s.presence
	for from, at := range p.places {
		if now.Sub(at.told) > presenceAge || at.version > s.version || at.version < p.from && at.version != s.version {
			continue
		}
		user, _, _ := strings.Cut(from, "/")
		for _, e := range p.recent {
			if e.version <= at.version {
				continue
			}
			own := ot.Earlier // a cursor goes along with what is typed at it by its owner, and by nobody else
			if e.actor == user {
				own = ot.Later
			}
			at.anchor, at.head = e.edit.TransformPosition(at.anchor, own), e.edit.TransformPosition(at.head, own)
		}
		at.version = s.version
		p.places[from] = at
		shown := func(n int) int {
			if s.sent != nil {
				n = s.sent.delta.TransformPosition(n, ot.Earlier)
			}
			return min(s.buffer.TransformPosition(n, ot.Earlier), s.shown.Len())
		}
		out = append(out, Cursor{From: from, User: user, Anchor: shown(at.anchor), Head: shown(at.head), Typing: at.typing})
	}
	slices.SortFunc(out, func(a, b Cursor) int { return cmp.Compare(a.From, b.From) })
	return out
}

// tell says where the user is, in places of the version that others have.
func (s *state) tell(anchor, head int) *docsv1.Presence {
	known := func(n int) uint32 {
		n = before(s.buffer, n)
		if s.sent != nil {
			n = before(s.sent.delta, n)
		}
		return uint32(max(0, min(n, s.content.Len())))
	}
	return &docsv1.Presence{Version: s.version, Anchor: known(anchor), Head: known(head)}
}

// before is where a place was before an edit; one in what it inserted was where that begins.
func before(d ot.Delta, place int) int {
	was, is := 0, 0
	for _, op := range d.Ops() {
		switch op.Action() {
		case ot.Delete:
			was += op.Len()
			continue
		case ot.Insert:
			if place < is+op.Len() {
				return was
			}
		case ot.Retain:
			if place < is+op.Len() {
				return was + place - is
			}
			was += op.Len()
		}
		is += op.Len()
	}
	return was + place - is
}
