package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The outbox's limits.
const (
	OutboxEntries = 10_000              // that wait; one more is refused
	OutboxBytes   = 64 << 20            // of their bodies
	OutboxAge     = 30 * 24 * time.Hour // then an entry fails: servers keep keys for 35 days
	seqBlock      = 64                  // numbers that are reserved by one write
	compactAfter  = 4 << 20             // bytes of journal, beyond what waits
)

// ErrInUse says that another program has the outbox open.
var ErrInUse = errors.New("another program has it open")

// Outbox is what an installation has to say and nobody has heard yet, in order, in a file that survives the process.
//
// The file is a journal: each record is its length, a CRC-32C and its bytes, and is synced before its call returns. A record
// that was cut off at the end, by a crash, is dropped; one that is damaged in the middle is an error.
type Outbox struct {
	mu       sync.Mutex
	file     *os.File // nil: in memory
	path     string
	clientID string
	// Invariant: every number below next was either used or will never be; reserved, the end of the block, is in the file.
	next, reserved uint64
	waiting        []*entry // ascending by seq
	bytes, journal int
	changed        chan struct{} // signals the client's loop; capacity 1
}

type entry struct {
	seq    uint64
	method string
	body   []byte
	since  time.Time
	done   chan struct{} // closed when settled
	reply  []byte
	err    error
}

// record kinds.
const (
	recIdentity = 1 + iota // client_id
	recReserve             // seq: numbers below are spent
	recPut                 // seq, time, method, body
	recDone                // seq
)

func newMemoryOutbox() *Outbox {
	return &Outbox{clientID: NewID(), next: 1, reserved: 1, changed: make(chan struct{}, 1)}
}

// OpenOutbox opens the outbox kept in a file, or makes it. One process may have it open at a time.
func OpenOutbox(path string) (*Outbox, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the outbox: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the outbox: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open the outbox %s: %w", path, ErrInUse)
	}
	o := &Outbox{file: file, path: path, next: 1, reserved: 1, changed: make(chan struct{}, 1)}
	if err := o.load(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open the outbox %s: %w", path, err)
	}
	return o, nil
}

func (o *Outbox) load() error {
	r := bufio.NewReader(o.file)
	good := int64(0)
	for {
		record, err := readRecord(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			if _, more := r.Peek(1); more == nil {
				return fmt.Errorf("damaged at byte %d: move it away to start anew; what waited in it is lost", good)
			}
			break // the last record, cut off by a crash
		}
		if err := o.apply(record); err != nil {
			return fmt.Errorf("damaged at byte %d: %w", good, err)
		}
		good += int64(8 + len(record))
	}
	if err := o.file.Truncate(good); err != nil {
		return err
	}
	if _, err := o.file.Seek(good, io.SeekStart); err != nil {
		return err
	}
	o.journal = int(good)
	o.next = o.reserved
	if o.clientID == "" {
		o.clientID = NewID()
		return o.write(append([]byte{recIdentity}, o.clientID...))
	}
	return nil
}

func (o *Outbox) apply(record []byte) error {
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
		o.insert(&entry{seq: seq, since: time.UnixMilli(ms), method: string(rest[:length]), body: rest[length:], done: make(chan struct{})})
	case recDone:
		o.remove(seq)
	default:
		return fmt.Errorf("unknown record %d", kind)
	}
	return nil
}

func (o *Outbox) insert(e *entry) {
	o.waiting = append(o.waiting, e)
	o.bytes += len(e.body)
	o.reserved = max(o.reserved, e.seq+1)
}

func (o *Outbox) remove(seq uint64) *entry {
	for i, e := range o.waiting {
		if e.seq == seq {
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			o.bytes -= len(e.body)
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

// Close closes the file. What waits is there when it is opened again.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
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
		return nil, rpc.Errorf(edgev1.Code_CODE_TOO_MANY_CALLS, "client.OUTBOX_FULL", "%d messages wait to be sent. Go online, then try again.", len(o.waiting))
	}
	seq, err := o.numberLocked()
	if err != nil {
		return nil, err
	}
	e := &entry{seq: seq, method: method, body: body, since: now, done: make(chan struct{})}
	record := binary.AppendUvarint([]byte{recPut}, seq)
	record = binary.AppendVarint(record, now.UnixMilli())
	record = binary.AppendUvarint(record, uint64(len(method)))
	record = append(append(record, method...), body...)
	if err := o.write(record); err != nil {
		return nil, err
	}
	o.insert(e)
	o.signal()
	return e, nil
}

// settle ends an entry. An entry that is gone already is no error: a reply and its event may both tell.
func (o *Outbox) settle(seq uint64, reply []byte, failure error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.remove(seq)
	if e == nil {
		return nil
	}
	e.reply, e.err = reply, failure
	close(e.done)
	if err := o.write(binary.AppendUvarint([]byte{recDone}, seq)); err != nil {
		return err
	}
	if o.file != nil && o.journal > 2*o.bytes+compactAfter {
		return o.compact()
	}
	return nil
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

// write appends a record and syncs it. The caller holds mu, or has the outbox alone.
func (o *Outbox) write(record []byte) error {
	if o.path == "" {
		return nil
	}
	if o.file == nil {
		return errors.New("the outbox is closed")
	}
	if _, err := o.file.Write(frame(record)); err != nil {
		// A part of it may stand there: whatever follows would be unreadable behind it.
		_ = o.file.Truncate(int64(o.journal))
		_, _ = o.file.Seek(int64(o.journal), io.SeekStart)
		return fmt.Errorf("write the outbox: %w", err)
	}
	if err := o.file.Sync(); err != nil {
		return fmt.Errorf("write the outbox: %w", err)
	}
	o.journal += 8 + len(record)
	return nil
}

// compact writes what still counts into a new file and puts it in the place of the old one. The caller holds mu.
func (o *Outbox) compact() error {
	next, err := os.OpenFile(o.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("compact the outbox: %w", err)
	}
	if err := syscall.Flock(int(next.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = next.Close()
		return fmt.Errorf("compact the outbox: %w", err)
	}
	old, size := o.file, o.journal
	o.file, o.journal = next, 0
	records := [][]byte{append([]byte{recIdentity}, o.clientID...), binary.AppendUvarint([]byte{recReserve}, o.reserved)}
	for _, e := range o.waiting {
		record := binary.AppendVarint(binary.AppendUvarint([]byte{recPut}, e.seq), e.since.UnixMilli())
		record = binary.AppendUvarint(record, uint64(len(e.method)))
		records = append(records, append(append(record, e.method...), e.body...))
	}
	for _, record := range records {
		if err == nil {
			_, err = next.Write(frame(record))
			o.journal += 8 + len(record)
		}
	}
	if err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(o.path+".new", o.path)
	}
	if err != nil {
		o.file, o.journal = old, size
		_ = next.Close()
		return fmt.Errorf("compact the outbox: %w", err)
	}
	return old.Close()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frame(record []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(record)))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(record, castagnoli))
	return append(out, record...)
}

func readRecord(r *bufio.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > OutboxBytes {
		return nil, errors.New("no record")
	}
	record := make([]byte, n)
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, err
	}
	if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errors.New("wrong checksum")
	}
	return record, nil
}
