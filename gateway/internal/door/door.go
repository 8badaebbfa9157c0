// Package door bounds the connections of a listener that have not become sessions.
package door

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits are numbers of connections at the same time.
type Limits struct {
	All     int
	Address int  // from one address
	Silent  bool // who is turned away is not told, for TLS is spoken
}

// Door counts the connections that are and carry no sessions: those that have said nothing yet, that are being served over HTTP, or wait
// for their next request. Where there are too many it closes the one that has waited longest, or turns the new one away.
type Door struct {
	net.Listener
	limits  Limits
	address func(net.Addr) netip.Addr
	refused func()

	mu      sync.Mutex // guards all below, and what the visits say of their place in it
	inside  int
	guests  map[netip.Addr]*guests // Invariant: none without a visit
	resting list.List              // of *Visit, idle for longest first
}

// guests are the visits from one address.
type guests struct {
	inside  int
	resting list.List // of *Visit, idle for longest first
}

// Visit is a connection that the door counts.
type Visit struct {
	net.Conn
	door    *Door
	address netip.Addr
	carries int  // sessions
	left    bool // for good. Invariant: it is counted unless it has left or carries
	idle    bool
	surplus bool             // there was no place for it when it came back: it is closed as soon as it is idle
	resting [2]*list.Element // its places on the lists of the idle: the door's and its address's
}

// New puts a door before a listener. address names what counts as one address, invalid where it stands for many; refused is called
// for each connection that is turned away.
func New(l net.Listener, limits Limits, address func(net.Addr) netip.Addr, refused func()) *Door {
	return &Door{Listener: l, limits: limits, address: address, refused: refused, guests: map[netip.Addr]*guests{}}
}

// Accept implements net.Listener.
func (d *Door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // the HTTP server looks at it
		}
		v := &Visit{Conn: c, door: d, address: d.address(c.RemoteAddr())}
		idle, ok := d.enter(v)
		if idle != nil {
			_ = idle.Close()
		}
		if ok {
			return v, nil
		}
		d.refused()
		if d.limits.Silent {
			_ = c.Close()
		} else {
			turnAway(c)
		}
	}
}

const (
	turnAwayTime = 100 * time.Millisecond // a new connection's buffer is empty: nobody waits
	turnedAway   = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\ntoo many connections\n"
)

func turnAway(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(turnAwayTime))
	_, _ = c.Write([]byte(turnedAway)) // the client may be gone
	_ = c.Close()
}

// enter counts a visit in, unless there are too many; then an idle one may have to be closed in its place.
func (d *Door) enter(v *Visit) (idle *Visit, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if idle, ok = d.makeRoom(v.address); ok {
		d.count(v)
	}
	return idle, ok
}

// makeRoom needs the lock.
func (d *Door) makeRoom(address netip.Addr) (idle *Visit, ok bool) {
	at := d.guests[address]
	var full *list.List
	switch {
	case at != nil && at.inside >= d.limits.Address && address.IsValid():
		full = &at.resting
	case d.inside >= d.limits.All:
		full = &d.resting
	default:
		return nil, true
	}
	first := full.Front()
	if first == nil {
		return nil, false
	}
	idle = first.Value.(*Visit) //nolint:forcetypeassert // holds nothing else
	idle.leave()
	return idle, true
}

// count needs the lock.
func (d *Door) count(v *Visit) {
	at := d.guests[v.address]
	if at == nil {
		at = &guests{}
		d.guests[v.address] = at
	}
	d.inside++
	at.inside++
}

// leave needs the lock.
func (v *Visit) leave() {
	if v.left {
		return
	}
	v.left = true
	if v.carries == 0 {
		v.discount()
	}
}

// discount needs the lock.
func (v *Visit) discount() {
	v.wake()
	d, at := v.door, v.door.guests[v.address]
	d.inside--
	if at.inside--; at.inside == 0 {
		delete(d.guests, v.address)
	}
}

// rest needs the lock.
func (v *Visit) rest() {
	v.resting = [2]*list.Element{v.door.resting.PushBack(v), v.door.guests[v.address].resting.PushBack(v)}
}

// wake takes it off the lists of the idle; it needs the lock.
func (v *Visit) wake() {
	if v.resting[0] != nil {
		v.door.resting.Remove(v.resting[0])
		v.door.guests[v.address].resting.Remove(v.resting[1])
		v.resting = [2]*list.Element{}
	}
}

// Changed is for http.Server.ConnState.
func (d *Door) Changed(c net.Conn, s http.ConnState) {
	if secret, ok := c.(*tls.Conn); ok {
		c = secret.NetConn()
	}
	v, ok := c.(*Visit)
	if !ok {
		return
	}
	if v.turn(s == http.StateIdle) {
		_ = v.Close()
	}
}

// turn notes whether the visit is idle now, and reports whether it is to be closed.
func (v *Visit) turn(idle bool) (end bool) {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.wake()
	if v.idle = idle; !idle || v.left || v.carries > 0 {
		return false
	}
	v.rest()
	return v.surplus
}

// Carry counts the visit out while it carries a session, which is counted with the sessions. done, which is called once, counts it in
// again: in the place of one that is idle, or where there is no place until it is idle itself.
func (v *Visit) Carry() (done func()) {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	if v.carries++; v.carries == 1 && !v.left {
		v.discount()
	}
	return func() {
		if end := v.back(); end != nil {
			_ = end.Close()
		}
	}
}

// back returns the visit that is to be closed, if there is one.
func (v *Visit) back() (end *Visit) {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	if v.carries--; v.carries > 0 || v.left {
		return nil
	}
	end, ok := v.door.makeRoom(v.address)
	v.surplus = !ok
	v.door.count(v)
	if v.idle {
		v.rest()
		if v.surplus {
			end = v
		}
	}
	return end
}

// Close implements net.Conn.
func (v *Visit) Close() error {
	v.Stay()
	return v.Conn.Close() //nolint:wrapcheck // stands for the connection
}

// CloseWrite lets the HTTP server end a connection whose request it doesn't read to its end: closed at once, the answer could be
// lost to a reset.
func (v *Visit) CloseWrite() error {
	if half, ok := v.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // stands for the connection
	}
	return nil
}

// Stay says that it has become a session, or ends: others count it now, or nobody. It returns the connection itself.
func (v *Visit) Stay() net.Conn {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.leave()
	return v.Conn
}
