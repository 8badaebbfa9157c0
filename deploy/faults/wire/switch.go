package wire

import (
	"container/heap"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxDelay  = 10 * time.Second
	maxQueued = 8192    // packets on their way to one port; further ones are lost, as on any wire
	maxPacket = 1 << 16 // bytes
)

// Switch carries IPv4 packets between its ports. Its zero value has none. It is safe for concurrent use.
type Switch struct {
	mu    sync.RWMutex // guards what follows
	ports map[netip.Addr]*port
	rules []*Rule

	pumps         sync.WaitGroup
	carried, lost atomic.Uint64
}

// port is where one device is plugged in. The device is closed by the switch.
type port struct {
	device io.ReadWriteCloser

	mu      sync.Mutex // guards what follows
	waiting queue
	count   uint64
	wake    *time.Timer // fires when the first of waiting is due
	closed  bool
}

// Plug carries packets between device, which has the address, and the other ports, until Close or until the device fails. A device yields
// and takes one packet at a time.
func (s *Switch) Plug(address netip.Addr, device io.ReadWriteCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports[address] != nil {
		return fmt.Errorf("wire: %v is plugged in already", address)
	}
	if s.ports == nil {
		s.ports = map[netip.Addr]*port{}
	}
	p := &port{device: device}
	p.wake = time.AfterFunc(time.Hour, p.flush)
	p.wake.Stop()
	s.ports[address] = p
	s.pumps.Go(func() { s.pump(p) })
	return nil
}

// pump takes what the device sends.
func (s *Switch) pump(p *port) {
	buffer := make([]byte, maxPacket)
	for {
		n, err := p.device.Read(buffer)
		if err != nil { // closed
			return
		}
		s.carry(buffer[:n])
	}
}

// carry decides about one packet and sends it on its way.
func (s *Switch) carry(packet []byte) {
	from, to, ok := addresses(packet)
	if !ok {
		return
	}
	s.mu.RLock()
	source, target, f := s.ports[from], s.ports[to], decide(s.rules, from, to)
	s.mu.RUnlock()
	if f.cut && source != nil {
		if back := reset(packet); back != nil {
			source.send(back, 0)
		}
	}
	if target == nil || f.drop || f.cut || !target.send(packet, f.delay) {
		s.lost.Add(1)
		return
	}
	s.carried.Add(1)
}

// send is false where the packet is lost: too many are on their way. The packet is copied where it must wait.
func (p *port) send(packet []byte, delay time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if delay == 0 && len(p.waiting) == 0 {
		_, err := p.device.Write(packet) // a device whose process has ended takes nothing
		return err == nil
	}
	if len(p.waiting) >= maxQueued {
		return false
	}
	p.count++
	heap.Push(&p.waiting, queued{time.Now().Add(delay), p.count, slices.Clone(packet)})
	p.wake.Reset(time.Until(p.waiting[0].due))
	return true
}

// flush delivers what is due.
func (p *port) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	due, next := p.waiting.take(time.Now())
	for _, packet := range due {
		_, _ = p.device.Write(packet) // lost where nobody takes it
	}
	if !next.IsZero() {
		p.wake.Reset(time.Until(next))
	}
}

// Add has the switch follow a rule beside those it has, until remove is called.
func (s *Switch) Add(r Rule) (remove func(), err error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := &r
	s.rules = append(s.rules, mine)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rules = slices.DeleteFunc(slices.Clone(s.rules), func(o *Rule) bool { return o == mine })
	}, nil
}

// Counts is how many packets were carried, and how many were lost by rules, by full queues and for want of a port.
func (s *Switch) Counts() (carried, lost uint64) { return s.carried.Load(), s.lost.Load() }

// Close unplugs all devices and returns when nothing moves any more.
func (s *Switch) Close() error {
	s.mu.Lock()
	var errs []error
	for _, p := range s.ports {
		p.mu.Lock()
		p.closed = true
		p.waiting = nil
		p.wake.Stop()
		p.mu.Unlock()
		errs = append(errs, p.device.Close())
	}
	s.ports = nil
	s.mu.Unlock()
	s.pumps.Wait()
	return errors.Join(errs...)
}
