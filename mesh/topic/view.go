package topic

import (
	"bytes"
	"container/list"
	"context"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Limits of a view's entries and parameters, in bytes: those of the contract.
const (
	MaxEntryKey  = 128
	MaxEntryBody = 60 << 10
	MaxParams    = 16 << 10
	entryBytes   = 32 // that an entry counts besides its key and body
)

// ViewLimits bound what a View holds. Zero values mean the defaults.
type ViewLimits struct {
	Entries int // default 10,000; Set refuses another one [103]
	Bytes   int // of keys and bodies, with 32 for each entry; default 8 MiB; likewise
	Removed int // removed keys that are remembered; default 1,000; who knows less than that gets a snapshot
}

// View is the source of topics of the class VIEW: entries by key, of which each Watch is told a snapshot and then what changed, the newest
// state of each key. Several subscribers may watch one View, each those keys that its Watch.Keep lets through; where bodies decide what
// somebody sees, each subscriber has a View of their own.
type View struct {
	epoch  uint64
	limits ViewLimits

	mu      sync.Mutex // guards all below; nobody blocks while holding it
	version uint64     // of the newest change
	// Invariant: each key stands in one of the two lists, both ascending by version, each version once.
	present, removed list.List // of *entry
	keys             map[string]*list.Element
	bytes            int
	floor            uint64        // version of the newest removal that was forgotten
	moved            chan struct{} // closed by the next change; nil: nobody waits
	closed           error
}

// entry is the newest state of one key. It is never changed, but replaced.
type entry struct {
	*edgev1.Entry
	version uint64
}

func (e *entry) size() int { return entryBytes + len(e.GetKey()) + len(e.GetBody()) }

// NewView returns an empty view. epoch is the source's incarnation, such as the Unix milliseconds of its start, for its versions begin again:
// a source that takes another's place has another epoch.
func NewView(epoch uint64, limits ViewLimits) *View {
	if limits.Entries <= 0 {
		limits.Entries = 10_000
	}
	if limits.Bytes <= 0 {
		limits.Bytes = 8 << 20
	}
	if limits.Removed <= 0 {
		limits.Removed = 1000
	}
	return &View{epoch: epoch, limits: limits, keys: map[string]*list.Element{}}
}

// Set adds an entry or changes it; the same body again is no change. body must not be changed afterwards. Its errors are the caller's to
// answer with: a key that isn't 1 to 128 bytes of UTF-8 [100], a body over MaxEntryBody [104], and a view that is full [103].
func (v *View) Set(key string, body []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set(key, body)
}

// Change sets and removes several entries: no Watch is told of some of them without the others. What Set would refuse ends it there.
func (v *View) Change(entries []*edgev1.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range entries {
		if e.GetRemoved() {
			v.remove(e.GetKey())
		} else if err := v.set(e.GetKey(), e.GetBody()); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes an entry away; one that isn't there is no change.
func (v *View) Remove(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.remove(key)
}

// set needs the lock, like remove.
func (v *View) set(key string, body []byte) error {
	switch {
	case key == "" || len(key) > MaxEntryKey || !utf8.ValidString(key):
		return errBadEntryKey
	case len(body) > MaxEntryBody:
		return errTooLarge
	}
	e := &entry{&edgev1.Entry{Key: key, Body: body}, v.version + 1}
	grows, entries := e.size(), v.present.Len()+1
	old := v.find(key)
	if old != nil && !old.GetRemoved() {
		if bytes.Equal(old.GetBody(), body) {
			return nil
		}
		grows, entries = grows-old.size(), entries-1
	}
	if entries > v.limits.Entries || grows > 0 && v.bytes+grows > v.limits.Bytes {
		return errViewFull
	}
	v.forget(key)
	v.put(&v.present, e)
	v.bytes += grows
	return nil
}

func (v *View) remove(key string) {
	old := v.find(key)
	if old == nil || old.GetRemoved() {
		return
	}
	v.forget(key)
	v.bytes -= old.size()
	v.put(&v.removed, &entry{&edgev1.Entry{Key: key, Removed: true}, v.version + 1})
	if v.removed.Len() > v.limits.Removed {
		oldest := entryOf(v.removed.Front())
		v.floor = oldest.version
		v.forget(oldest.GetKey())
	}
}

// Recheck has every Watch ask its May anew.
func (v *View) Recheck() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wake()
}

// Close ends every Watch, now and later, with an error: CODE_TOPIC_GONE where the view has ended, CODE_UNAVAILABLE where another node goes on
// with it.
func (v *View) Close(why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = why
	v.wake()
}

func entryOf(e *list.Element) *entry {
	return e.Value.(*entry) //nolint:forcetypeassert // holds nothing else
}

// find needs the lock, like those that follow.
func (v *View) find(key string) *entry {
	if e := v.keys[key]; e != nil {
		return entryOf(e)
	}
	return nil
}

func (v *View) forget(key string) {
	if e := v.keys[key]; e != nil {
		v.present.Remove(e) // does nothing to what stands in the other list
		v.removed.Remove(e)
		delete(v.keys, key)
	}
}

func (v *View) put(into *list.List, e *entry) {
	v.version = e.version
	v.keys[e.GetKey()] = into.PushBack(e)
	v.wake()
}

func (v *View) wake() {
	if v.moved != nil {
		close(v.moved)
		v.moved = nil
	}
}

// Watch is what one subscriber sees of a view.
type Watch struct {
	After *edgev1.Cursor        // what they know, as TailRequest.after; nil: nothing
	Keep  func(key string) bool // which keys they see; nil: all. Its answer for a key never changes
	May   func() error          // whether they still may; nil: yes. Asked before each response, and on Recheck; its error ends the watch
}

// Watch is most of a Tail, for TailEach: it tells until ctx ends, at once with a snapshot, or with what changed where the view knows it; from then on with
// changes, at most every 50 ms, each key once with its newest state. It takes no more of them than send does, so a slow subscriber costs
// nothing but later news.
func (v *View) Watch(ctx context.Context, w Watch, send func(*topicv1.TailResponse) error) error {
	at := w.After
	for first := true; ; first = false {
		if w.May != nil {
			if err := w.May(); err != nil {
				return err
			}
		}
		c, err := v.changes(at, w.Keep)
		if err != nil {
			return err
		}
		if first || c.snapshot || len(c.entries) > 0 {
			if err := c.send(send); err != nil {
				return err
			}
			if !sleep(ctx, followGap) {
				return ctx.Err()
			}
		}
		at = c.at
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.moved:
		}
	}
}

// changes are what lies between a cursor and the newest version.
type changes struct {
	entries  []*edgev1.Entry
	snapshot bool // entries are all that there are
	at       *edgev1.Cursor
	moved    <-chan struct{}
}

func (v *View) changes(after *edgev1.Cursor, keep func(string) bool) (c changes, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed != nil {
		return c, v.closed
	}
	if v.moved == nil {
		v.moved = make(chan struct{})
	}
	c = changes{at: &edgev1.Cursor{Epoch: v.epoch, Offset: v.version}, moved: v.moved}
	since := after.GetOffset()
	c.snapshot = after == nil || after.GetEpoch() != v.epoch || since < v.floor || since > v.version
	lists := []*list.List{&v.present, &v.removed}
	if c.snapshot {
		lists, since = lists[:1], 0
	}
	for _, l := range lists {
		for e := l.Back(); e != nil; e = e.Prev() {
			x := entryOf(e)
			if x.version <= since {
				break
			}
			if keep == nil || keep(x.GetKey()) {
				c.entries = append(c.entries, x.Entry)
			}
		}
	}
	return c, nil
}

// send sends the changes.
func (c changes) send(send func(*topicv1.TailResponse) error) error {
	return SendView(&edgev1.View{Entries: c.entries, Snapshot: c.snapshot, At: c.at}, send)
}

// SendView sends an update of a view in responses of at most 64 KiB, for sources that are no View. Only the last one has a cursor: who lost the
// others must not go on from it.
func SendView(u *edgev1.View, send func(*topicv1.TailResponse) error) error {
	rest := u.GetEntries()
	for first := true; first || len(rest) > 0; first = false {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+proto.Size(rest[n])+entryBytes <= responseBytes) {
			size += proto.Size(rest[n]) + entryBytes
			n++
		}
		res := &edgev1.View{Entries: rest[:n], Snapshot: u.GetSnapshot() && first, More: n < len(rest)}
		if !res.GetMore() {
			res.At = u.GetAt()
		}
		if err := send(&topicv1.TailResponse{View: res}); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// ReadParams reads a view's parameters (Want.params, TailRequest.params). Its error is one to answer with.
func ReadParams(params []byte, into proto.Message) error {
	if err := proto.Unmarshal(params, into); err != nil {
		return errBadParams.Because(err)
	}
	return nil
}
