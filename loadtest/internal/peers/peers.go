// Package peers makes several generator processes run one load test: each tells all others what it has at the same points of the run.
package peers

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Group is the processes of one run. Process 0 leads: the others talk to it alone.
type Group struct {
	Index, Of int

	leader  *link   // of a process that joined
	members []*link // of the leader, by index; 0 is nil
}

const (
	maxMembers   = 64
	secretBytes  = 4 << 10 // of what a stranger says first
	secretTime   = 5 * time.Second
	messageBytes = 256 << 20 // of one process at one point: histograms, accounts
)

// Alone is a group of one.
func Alone() *Group { return &Group{Of: 1, members: make([]*link, 1)} }

// Lead waits on l until of-1 processes that know the secret have joined; hello is told to each. It closes l.
func Lead(ctx context.Context, l net.Listener, secret string, of int, hello any) (*Group, error) {
	defer l.Close()
	if of < 1 || of > maxMembers {
		return nil, fmt.Errorf("%d processes: a group has 1 to %d", of, maxMembers)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	data, err := json.Marshal(hello)
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	g := &Group{Of: of, members: make([]*link, 1, of)}
	for i := 1; i < of; i++ {
		conn, err := l.Accept()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("wait for process %d of %d: %w", i+1, of, err), ctx.Err(), g.Close())
		}
		m := newLink(conn)
		if !m.knows(ctx, secret) {
			_ = conn.Close()
			i--
			continue
		}
		g.members = append(g.members, m)
		if err := m.write(message{Index: i, Of: of, Data: []json.RawMessage{data}}); err != nil {
			return nil, errors.Join(fmt.Errorf("greet process %d: %w", i, err), g.Close())
		}
	}
	return g, nil
}

// Join takes part in the run that a leader at address leads; its greeting is decoded into hello.
func Join(ctx context.Context, address, secret string, hello any) (*Group, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	g := &Group{leader: newLink(conn)}
	if err := g.leader.write(message{Name: secret}); err != nil {
		return nil, errors.Join(fmt.Errorf("join %s: %w", address, err), conn.Close())
	}
	m, err := g.leader.read(ctx)
	if errors.Is(err, io.EOF) {
		err = errors.New("the other process doesn't know this secret")
	}
	if err == nil && len(m.Data) != 1 {
		err = errors.New("no greeting")
	}
	if err == nil {
		err = json.Unmarshal(m.Data[0], hello)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join %s: %w", address, err), conn.Close())
	}
	g.Index, g.Of = m.Index, m.Of
	return g, nil
}

// Close leaves the group.
func (g *Group) Close() error {
	var errs []error
	for _, l := range append(g.members, g.leader) {
		if l != nil {
			errs = append(errs, l.conn.Close())
		}
	}
	return errors.Join(errs...)
}

// Gather waits until every process has come to the point name, and returns what each brought, by index. All call it with the
// same names in the same order.
func Gather[T any](ctx context.Context, g *Group, name string, mine T) ([]T, error) {
	own, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("%s: encode: %w", name, err)
	}
	all, err := g.gather(ctx, name, own)
	if err != nil {
		return nil, fmt.Errorf("meet the other processes at %q: %w", name, err)
	}
	out := make([]T, len(all))
	for i := range all {
		if err := json.Unmarshal(all[i], &out[i]); err != nil {
			return nil, fmt.Errorf("%s: decode what process %d brought: %w", name, i, err)
		}
	}
	return out, nil
}

func (g *Group) gather(ctx context.Context, name string, own json.RawMessage) ([]json.RawMessage, error) {
	if g.leader != nil {
		if err := g.leader.write(message{Name: name, Data: []json.RawMessage{own}}); err != nil {
			return nil, err
		}
		m, err := g.leader.at(ctx, name, g.Of)
		return m.Data, err
	}
	all := []json.RawMessage{own}
	for _, l := range g.members[1:] {
		m, err := l.at(ctx, name, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, m.Data[0])
	}
	for _, l := range g.members[1:] {
		if err := l.write(message{Name: name, Data: all}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

type message struct {
	Name  string            `json:"name,omitempty"`
	Index int               `json:"index,omitempty"`
	Of    int               `json:"of,omitempty"`
	Data  []json.RawMessage `json:"data"`
}

// link is a connection that carries one JSON message a line.
type link struct {
	conn net.Conn
	in   *json.Decoder
	n    *io.LimitedReader
}

func newLink(conn net.Conn) *link {
	n := &io.LimitedReader{R: bufio.NewReaderSize(conn, 64<<10)}
	return &link{conn, json.NewDecoder(n), n}
}

// knows tells whether who has connected begins with the secret.
func (l *link) knows(ctx context.Context, secret string) bool {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now()) })
	defer stop()
	l.n.N = secretBytes
	var m message
	return l.in.Decode(&m) == nil && subtle.ConstantTimeCompare([]byte(m.Name), []byte(secret)) == 1
}

func (l *link) write(m message) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		return err //nolint:wrapcheck // gather does
	}
	return json.NewEncoder(l.conn).Encode(m) //nolint:wrapcheck // gather does
}

// read waits as long as ctx lives: the others may be at work for minutes.
func (l *link) read(ctx context.Context) (message, error) {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now()) })
	defer stop()
	l.n.N = messageBytes
	var m message
	err := l.in.Decode(&m)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return m, err
}

func (l *link) at(ctx context.Context, name string, of int) (message, error) {
	m, err := l.read(ctx)
	switch {
	case err != nil:
		return m, err
	case m.Name != name || len(m.Data) != of:
		return m, fmt.Errorf("another process is at %q", m.Name)
	}
	return m, nil
}
