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
	after uint64            // the version that list begins behind
	list  []recentEdit      // ascending
	known map[uint64]uint64 // mutation -> version
}

func newRecent(most int, after uint64) recent {
	return recent{most: most, after: after, known: map[uint64]uint64{}}
}

// add takes the next event in. Twice as many as are to be kept may be, so that dropping costs little.
func (r *recent) add(e recentEdit) {
	if len(r.list) >= 2*r.most {
		for _, old := range r.list[:r.most] {
			if r.known[old.mutation] == old.version {
				delete(r.known, old.mutation)
			}
		}
		r.after = r.list[r.most-1].version
		r.list = slices.Clone(r.list[r.most:])
	}
	r.list = append(r.list, e)
	if e.mutation != 0 {
		r.known[e.mutation] = e.version
	}
}

// since returns what follows a version; ok: nothing that does is missing.
func (r *recent) since(version uint64) (list []recentEdit, ok bool) {
	if version < r.after {
		return nil, false
	}
	return r.list[min(version-r.after, uint64(len(r.list))):], true
}
