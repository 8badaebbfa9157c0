package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/client/internal/journal"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The outbox's limits.
const (
	OutboxEntries = 10_000              // that wait; one more is refused
	OutboxBytes   = 64 << 20            // of their bodies
	OutboxAge     = 30 * 24 * time.Hour // then an entry fails: servers keep keys for 35 days
	seqBlock      = 64                  // numbers that are reserved by one write
	compactAfter  = 1 << 20             // bytes of journal, beyond twice what waits
)

// ErrInUse says that another program has the outbox open.
var ErrInUse = journal.ErrInUse

// Outbox is what an installation has to say and nobody has heard yet, in order, in a file that survives the process.
//
// The file is a journal, see internal/journal: each change is synced before its call returns.
type Outbox struct {
	clientID string
	changed  chan struct{} // signals the client's loop; capacity 1

	mu      sync.Mutex
	journal *journal.Journal // nil: in memory; guarded by mu, as are those below
	closed  bool
	// Invariant: every number below next was either used or will never be; reserved, the end of the block, is in the file.
	next, reserved uint64
	waiting        []*entry // ascending by seq
	mutations      map[uint64]*entry
	bytes          int // of the bodies of waiting
}

type entry struct {
	seq      uint64
	method   string
	body     []byte
	since    time.Time
	accepted chan struct{} // closed when it is known to have taken place
	done     chan struct{} // closed when settled
	reply    []byte        // valid once done is closed, as is err
	err      error
	later    atomic.Pointer[Error] // the last answer after which it is to be repeated; nil: none came
}

func (e *entry) isAccepted() bool {
	select {
	case <-e.accepted:
		return true
	default:
		return false
	}
}

// record kinds.
const (
	recIdentity = 1 + iota // client_id
	recReserve             // seq: numbers below are spent
	recPut                 // seq, time, method, body
	recDone                // seq
)

func newMemoryOutbox() *Outbox {
	return &Outbox{clientID: NewID(), next: 1, reserved: 1, mutations: make(map[uint64]*entry), changed: make(chan struct{}, 1)}
}

// OpenOutbox opens the outbox kept in a file, or makes it. One process may have it open at a time: else ErrInUse.
func OpenOutbox(path string) (*Outbox, error) {
	o := newMemoryOutbox()
	o.clientID = ""
	file, err := journal.Open(path, o.apply)
	if err != nil {
		return nil, fmt.Errorf("open the outbox %s: %w", path, err)
	}
	o.journal, o.next = file, o.reserved
	if o.clientID == "" {
		o.clientID = NewID()
		if err := o.write(append([]byte{recIdentity}, o.clientID...)); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	for _, e := range o.waiting { // the client_id may stand behind them
		o.mutations[Mutation(o.clientID, e.seq)] = e
	}
	return o, nil
}

func (o *Outbox) apply(record []byte) error {
	if len(record) == 0 {
		return errors.New("an empty record")
	}
	kind, rest := record[0], record[1:]
	if kind == recIdentity {
		o.clientID = string(rest)
		return nil
	}
	seq, n := binary.Uvarint(rest)
	if n <= 0 {
		return errors.New("no number")
	}
	rest = rest[n:]
	switch kind {
	case recReserve:
		o.reserved = max(o.reserved, seq)
	case recPut:
		ms, n := binary.Varint(rest)
		if n <= 0 {
			return errors.New("no time")
		}
		length, m := binary.Uvarint(rest[n:])
		rest = rest[n+max(m, 0):]
		if m <= 0 || uint64(len(rest)) < length {
			return errors.New("no method")
		}
		o.insert(newEntry(seq, string(rest[:length]), rest[length:], time.UnixMilli(ms)))
	case recDone:
		o.remove(seq)
	default:
		return fmt.Errorf("unknown record %d", kind)
	}
	return nil
}

func newEntry(seq uint64, method string, body []byte, since time.Time) *entry {
	return &entry{seq: seq, method: method, body: body, since: since, accepted: make(chan struct{}), done: make(chan struct{})}
}

func (o *Outbox) insert(e *entry) {
	o.mutations[Mutation(o.clientID, e.seq)] = e
	o.waiting = append(o.waiting, e)
	o.bytes += len(e.body)
}

func (o *Outbox) remove(seq uint64) *entry {
	for i, e := range o.waiting {
		if e.seq == seq {
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			o.bytes -= len(e.body)
			delete(o.mutations, Mutation(o.clientID, seq))
			return e
		}
	}
	return nil
}

// ClientID names the installation. It is secret.
func (o *Outbox) ClientID() string { return o.clientID }

// Len returns how many entries wait.
func (o *Outbox) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}

// Pending returns what waits, in order: also what earlier runs of the program have put there.
func (o *Outbox) Pending() []Pending {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]Pending, len(o.waiting))
	for i, e := range o.waiting {
		all[i] = Pending{e}
	}
	return all
}

// Close closes the file. What waits is there when it is opened again.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed = true; o.journal == nil {
		return nil
	}
	return o.journal.Close()
}

// Number returns a client_seq that was never given before, nor will be after a crash.
func (o *Outbox) Number() (uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.numberLocked()
}

func (o *Outbox) numberLocked() (uint64, error) {
	if o.next >= o.reserved {
		end := o.next + seqBlock
		if err := o.write(binary.AppendUvarint([]byte{recReserve}, end)); err != nil {
			return 0, err
		}
		o.reserved = end
	}
	o.next++
	return o.next - 1, nil
}

// put keeps a mutation until it is settled.
func (o *Outbox) put(method string, body []byte, now time.Time) (*entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= OutboxEntries || o.bytes+len(body) > OutboxBytes {
		return nil, errorf(edgev1.Code_CODE_TOO_MANY_CALLS, "client.OUTBOX_FULL", "%d messages wait to be sent. Go online, then try again.", len(o.waiting))
	}
	seq, err := o.numberLocked()
	if err != nil {
		return nil, err
	}
	e := newEntry(seq, method, body, now)
	if err := o.write(e.record()); err != nil {
		return nil, err
	}
	o.insert(e)
	o.signal()
	return e, nil
}

func (e *entry) record() []byte {
	record := binary.AppendVarint(binary.AppendUvarint([]byte{recPut}, e.seq), e.since.UnixMilli())
	record = binary.AppendUvarint(record, uint64(len(e.method)))
	return append(append(record, e.method...), e.body...)
}

// accept notes that an own event was seen: a later run won't send its mutation again. This run goes on, for the answer.
func (o *Outbox) accept(mutation uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.mutations[mutation]
	if e == nil || e.isAccepted() {
		return nil
	}
	close(e.accepted)
	return o.write(binary.AppendUvarint([]byte{recDone}, e.seq))
}

// settle ends an entry. Its error says that the file could not be written: then a later run sends the mutation again, which
// does no harm.
func (o *Outbox) settle(seq uint64, reply []byte, failure error) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.remove(seq)
	if e == nil {
		return nil
	}
	if !e.isAccepted() {
		if err = o.write(binary.AppendUvarint([]byte{recDone}, seq)); failure == nil {
			close(e.accepted)
		}
	}
	e.reply, e.err = reply, failure
	close(e.done)
	if err == nil && o.journal != nil && o.journal.Size > 2*o.bytes+compactAfter {
		err = o.journal.Rewrite(o.records())
	}
	return err
}

// records is what counts now.
func (o *Outbox) records() [][]byte {
	records := [][]byte{append([]byte{recIdentity}, o.clientID...), binary.AppendUvarint([]byte{recReserve}, o.reserved)}
	for _, e := range o.waiting {
		if !e.isAccepted() {
			records = append(records, e.record())
		}
	}
	return records
}

// head returns up to n entries in order.
func (o *Outbox) head(n int) []*entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*entry(nil), o.waiting[:min(n, len(o.waiting))]...)
}

func (o *Outbox) signal() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// write keeps a record. The caller holds mu, or has the outbox alone.
func (o *Outbox) write(record []byte) error {
	if o.closed {
		return errors.New("the outbox is closed")
	}
	if o.journal == nil {
		return nil
	}
	if err := o.journal.Append(record); err != nil {
		return fmt.Errorf("write the outbox: %w", err)
	}
	return nil
}
