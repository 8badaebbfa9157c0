package docs

import (
	"slices"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/topic"
)

// mutation names a mutation in memory. Keys of two users may have the same number.
type mutation struct {
	user   string
	number uint64 // as of topic.Key; 0: none
}

func mutationOf(k topic.Key) mutation { return mutation{k.User, k.Mutation()} }

// recentEdit is an event of a document, which may have changed its content.
type recentEdit struct {
	version  uint64
	edit     ot.Delta // nothing: the content stayed
	bytes    int      // of the event
	mutation mutation // of its key; number 0: none
}

// recent are the newest events of a document, without a hole, for edits whose base is older and for those that come twice.
type recent struct {
	most  int
	at    uint64              // version of the newest event, kept or not
	list  []recentEdit        // ascending
	bytes int                 // of the list
	known map[mutation]uint64 // mutation -> version
}

const recentBytes = 2 << 20 // of events that are kept, beside their number

// newRecent keeps none yet of those behind a version.
func newRecent(most int, behind uint64) recent {
	return recent{most: most, at: behind, known: map[mutation]uint64{}}
}

// add takes the next event in. Twice as much as is to be kept may be, so that dropping costs little.
func (r *recent) add(e recentEdit) {
	if len(r.list) >= 2*r.most || r.bytes > 2*recentBytes {
		r.drop()
	}
	r.list, r.at, r.bytes = append(r.list, e), e.version, r.bytes+e.bytes
	if e.mutation.number != 0 {
		r.known[e.mutation] = e.version
	}
}

// drop forgets the oldest.
func (r *recent) drop() {
	n := 0
	for ; len(r.list)-n > r.most || n < len(r.list) && r.bytes > recentBytes; n++ {
		old := r.list[n]
		if r.bytes -= old.bytes; r.known[old.mutation] == old.version {
			delete(r.known, old.mutation)
		}
	}
	r.list = slices.Clone(r.list[n:])
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

// first is the version of the oldest event that is kept, or the next one's where none is.
func (r *recent) first() uint64 {
	if len(r.list) == 0 {
		return r.at + 1
	}
	return r.list[0].version
}
