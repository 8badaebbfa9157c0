package wire

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// arrival is a packet that a device was given, and when.
type arrival struct {
	at     time.Time
	packet []byte
}

// device is a process's network: it sends with send, and keeps what arrives.
type device struct {
	out        chan []byte
	in         chan arrival
	gone       chan struct{}
	close      sync.Once
	lingers    time.Duration // from Close to the end of Read
	takeError  error         // of Write
	closeError error
}

func newDevice() *device {
	return &device{out: make(chan []byte), in: make(chan arrival, 2*maxQueued), gone: make(chan struct{})}
}

func (d *device) Read(b []byte) (int, error) {
	select {
	case p := <-d.out:
		return copy(b, p), nil
	case <-d.gone:
		time.Sleep(d.lingers)
		return 0, io.EOF
	}
}

func (d *device) Write(p []byte) (int, error) {
	if d.takeError != nil {
		return 0, d.takeError
	}
	select {
	case <-d.gone:
		return 0, io.ErrClosedPipe
	default:
	}
	select {
	case d.in <- arrival{time.Now(), slices.Clone(p)}:
		return len(p), nil
	default:
		return 0, errors.New("the test takes no more packets")
	}
}

func (d *device) Close() error {
	d.close.Do(func() { close(d.gone) })
	return d.closeError
}

// send returns when the switch has decided about the packets, and no time has passed.
func (d *device) send(packets ...[]byte) {
	for _, p := range packets {
		d.out <- p
	}
	synctest.Wait()
}

// arrived takes what has come in so far.
func (d *device) arrived() (all []arrival) {
	synctest.Wait()
	for {
		select {
		case a := <-d.in:
			all = append(all, a)
		default:
			return all
		}
	}
}

// texts are what UDP packets carry, in the order in which they came.
func texts(all []arrival) (texts []string) {
	for _, a := range all {
		texts = append(texts, string(a.packet[28:]))
	}
	return texts
}

// onASwitch runs a test in a bubble, with alice, bob and carol on a switch.
func onASwitch(t *testing.T, test func(t *testing.T, s *Switch, a, b, c *device)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, a, b, c := &Switch{}, newDevice(), newDevice(), newDevice()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		for address, d := range map[netip.Addr]*device{alice: a, bob: b, carol: c} {
			if err := s.Plug(address, d); err != nil {
				t.Fatal(err)
			}
		}
		test(t, s, a, b, c)
	})
}

// add adds a rule that must be right.
func add(t *testing.T, s *Switch, r Rule) (remove func()) {
	t.Helper()
	remove, err := s.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

// counted checks what the switch says it has done.
func counted(t *testing.T, s *Switch, carried, lost uint64) {
	t.Helper()
	if c, l := s.Counts(); c != carried || l != lost {
		t.Errorf("%d packets carried and %d lost, want %d and %d", c, l, carried, lost)
	}
}
