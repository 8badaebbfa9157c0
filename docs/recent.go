package docs

import (
	"slices"

	"plenum.internal/docs/ot"
)

// recentEdit is an event of a document, which may have changed its content.
type recentEdit struct {
	version  uint64
	edit     ot.Delta // nothing: the content stayed
	mutation uint64   // of its key; 0: none
}

// recent are the newest events of a document, without a hole, for edits whose base is older and for those that come twice.
type recent struct {
	most  int
	at    uint64            // version of the newest event, kept or not
	list  []recentEdit      // ascending
	known map[uint64]uint64 // mutation -> version
}

// newRecent keeps none yet of those behind a version.
func newRecent(most int, behind uint64) recent {
	return recent{most: most, at: behind, known: map[uint64]uint64{}}
}

// add takes the next event in. Twice as many as are to be kept may be, so that dropping costs little.
func (r *recent) add(e recentEdit) {
	if len(r.list) >= 2*r.most {
		for _, old := range r.list[:r.most] {
			if r.known[old.mutation] == old.version {
				delete(r.known, old.mutation)
			}
		}
		r.list = slices.Clone(r.list[r.most:])
	}
	r.list, r.at = append(r.list, e), e.version
	if e.mutation != 0 {
		r.known[e.mutation] = e.version
	}
}

// since returns what follows a version; ok: nothing that does is missing.
func (r *recent) since(version uint64) (list []recentEdit, ok bool) {
	if version >= r.at {
		return nil, true
	}
	if len(r.list) == 0 || version+1 < r.first() {
		return nil, false
	}
	return r.list[version+1-r.first():], true
}

// first is the version of the oldest event that is kept; 0: none is.
func (r *recent) first() uint64 {
	if len(r.list) == 0 {
		return 0
	}
	return r.list[0].version
}
