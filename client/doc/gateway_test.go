package doc

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// gateway brings clients to the owner of a document.
type gateway struct {
	owner *owner

	mu       sync.Mutex // guards all below
	down     bool
	wires    map[*wire]bool
	lose     func() bool // the answer to a Submit is lost with the connection
	quiet    bool        // events are held back
	silent   bool        // answers are held back
	stop     *edgev1.Error
	requests int // Submits that came
}

func newGateway(text string) *gateway {
	return &gateway{owner: newOwner(text), wires: map[*wire]bool{}, lose: func() bool { return false }}
}

func (g *gateway) set(f func()) {
	g.mu.Lock()
	f()
	g.mu.Unlock()
	g.owner.mu.Lock()
	close(g.owner.changed)
	g.owner.changed = make(chan struct{})
	g.owner.mu.Unlock()
}

func (g *gateway) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.wires {
		w.end()
	}
}

// wire is a connection.
type wire struct {
	g      *gateway
	user   string
	client string
	out    chan *edgev1.ServerMessage
	ended  chan struct{}
	once   sync.Once
}

func (g *gateway) dial(user string) client.Dialer {
	return func(context.Context, string) (client.Conn, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.down {
			return nil, errors.New("no route")
		}
		w := &wire{g: g, user: user, out: make(chan *edgev1.ServerMessage, 1000), ended: make(chan struct{})}
		g.wires[w] = true
		return w, nil
	}
}

func (w *wire) end() { w.once.Do(func() { close(w.ended) }) }

func (w *wire) Close() error {
	w.g.mu.Lock()
	delete(w.g.wires, w)
	w.g.mu.Unlock()
	w.end()
	return nil
}

func (w *wire) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	select {
	case <-w.ended:
		return nil, io.EOF
	default:
	}
	select {
	case m := <-w.out:
		return m, nil
	case <-w.ended:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) send(f *edgev1.ServerFrame) {
	select {
	case w.out <- &edgev1.ServerMessage{Frames: []*edgev1.ServerFrame{f}}:
	case <-w.ended:
	}
}

func (w *wire) Write(_ context.Context, m *edgev1.ClientMessage) error {
	for _, frame := range m.GetFrames() {
		switch f := frame.GetFrame().(type) {
		case *edgev1.ClientFrame_Hello:
			w.client = f.Hello.GetClientId()
			w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{TokenTtlMs: 600_000_000}}})
		case *edgev1.ClientFrame_Call:
			go w.call(f.Call)
		case *edgev1.ClientFrame_Ping:
			w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Pong{Pong: &edgev1.Pong{Nonce: f.Ping.GetNonce()}}})
		case *edgev1.ClientFrame_Subscribe:
			for _, want := range f.Subscribe.GetWants() {
				go w.follow(f.Subscribe.GetId(), want)
			}
		case *edgev1.ClientFrame_Signal:
			w.g.mu.Lock()
			for other := range w.g.wires {
				if other != w {
					other.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Signal{Signal: &edgev1.Signal{Topic: f.Signal.GetTopic(), Key: f.Signal.GetKey(), Body: f.Signal.GetBody(), From: w.user + "/s"}}})
				}
			}
			w.g.mu.Unlock()
		}
	}
	return nil
}

// held waits while something is held back; it reports false when the wire has ended.
func (w *wire) held(what func() bool) bool {
	for {
		w.g.owner.mu.Lock()
		changed := w.g.owner.changed
		w.g.owner.mu.Unlock()
		w.g.mu.Lock()
		held := what()
		w.g.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-changed:
		case <-w.ended:
			return false
		}
	}
}

func (w *wire) call(q *edgev1.Call) {
	reply := &edgev1.Reply{Id: q.GetId()}
	var answer proto.Message
	switch "/" + q.GetMethod() {
	case docsv1.DocsService_Submit_FullMethodName:
		w.g.mu.Lock()
		w.g.requests++
		lost := w.g.lose()
		w.g.mu.Unlock()
		res, e := w.g.owner.submit(w.user, w.client, q.GetClientSeq(), q.GetBody())
		if lost {
			w.end()
			return
		}
		if answer = res; e != nil {
			reply.Result = &edgev1.Reply_Error{Error: e}
		}
	case docsv1.DocsService_ReadDocument_FullMethodName:
		var r docsv1.ReadDocumentRequest
		_ = proto.Unmarshal(q.GetBody(), &r)
		answer = w.g.owner.read(&r)
	case docsv1.DocsService_GetDocument_FullMethodName:
		w.g.owner.mu.Lock()
		answer = &docsv1.GetDocumentResponse{Document: &docsv1.Document{Version: w.g.owner.version()}}
		w.g.owner.mu.Unlock()
	}
	if reply.Result == nil {
		body, _ := proto.Marshal(answer)
		reply.Result = &edgev1.Reply_Body{Body: body}
	}
	if w.held(func() bool { return w.g.silent }) {
		w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: reply}})
	}
}

func (w *wire) follow(id uint32, want *edgev1.Want) {
	o, at := w.g.owner, proto.CloneOf(want.GetCursor())
	s := &edgev1.Subscription{Topic: want.GetTopic(), Start: at}
	stopped := func() *edgev1.Error {
		switch {
		case at.GetEpoch() != o.epoch:
			return refused(edgev1.Code_CODE_RESET_EPOCH, "edge.EPOCH")
		case at.GetOffset() < o.floor:
			return refused(edgev1.Code_CODE_RESET_FLOOR, "edge.FLOOR")
		}
		return nil
	}
	o.mu.Lock()
	s.Error = stopped()
	o.mu.Unlock()
	w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: id, Subscriptions: []*edgev1.Subscription{s}}}})
	for next := at.GetOffset(); s.Error == nil && w.held(func() bool { return w.g.quiet }); {
		o.mu.Lock()
		e, changed := stopped(), o.changed
		var news []*edgev1.Event
		if e == nil {
			news = o.log[min(next, o.version()):]
			next = max(next, o.version())
			at.Offset = next
		}
		o.mu.Unlock()
		w.g.mu.Lock()
		if w.g.stop != nil {
			e = w.g.stop
		}
		w.g.mu.Unlock()
		if len(news) > 0 {
			w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: want.GetTopic(), Events: news}}})
		}
		if e != nil {
			w.send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{want.GetTopic()}, Error: e}}})
			return
		}
		select {
		case <-changed:
		case <-w.ended:
			return
		}
	}
}

// desk is a user with a document open, over a real client.
type desk struct {
	*Document
	t       *testing.T
	g       *gateway
	user    string
	dir     string
	outbox  *client.Outbox
	changes []Change
	heard   []Refused
	end     func() error // stops Run, and returns what it returned
	died    chan error
}

func (g *gateway) desk(t *testing.T, user string) *desk {
	d := &desk{t: t, g: g, user: user, dir: t.TempDir()}
	d.begin()
	t.Cleanup(func() { _ = d.quit() })
	return d
}

// begin starts the program.
func (d *desk) begin() {
	d.t.Helper()
	var err error
	if d.outbox, err = client.OpenOutbox(filepath.Join(d.dir, "outbox")); err != nil {
		d.t.Fatal(err)
	}
	c, err := client.New(client.Config{Server: "http://plenum.test", Tokens: noToken{}, Outbox: d.outbox, Dial: d.g.dial(d.user)})
	if err != nil {
		d.t.Fatal(err)
	}
	d.Document, err = Open(Config{Client: c, Document: "d", File: filepath.Join(d.dir, "d"),
		OnChange:  func(c Change) { d.changes = append(d.changes, c) },
		OnRefused: func(r Refused) { d.heard = append(d.heard, r) }})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	document, died := d.Document, make(chan error, 1)
	running.Go(func() { died <- document.Run(ctx) })
	d.died = died
	d.end = func() error {
		cancel()
		running.Wait()
		select {
		case err := <-died:
			return err
		default:
			return nil
		}
	}
}

// quit ends the program as it is asked to end.
func (d *desk) quit() error { return errors.Join(d.end(), d.Close(), d.outbox.Close()) }

// kill ends it, and starts it again with what was on disk.
func (d *desk) kill() {
	d.t.Helper()
	d.mu.Lock()
	d.closed = true // whatever it would write now, it does not any more
	_ = d.file.File.Close()
	d.mu.Unlock()
	_ = d.end()
	_ = d.outbox.Close()
	d.begin()
}

func (d *desk) typeAt(at int, text string) {
	d.t.Helper()
	if err := d.Edit(func(*ot.Document) (ot.Delta, error) { return insert(at, text), nil }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) text() string {
	d.t.Helper()
	content, err := d.Content()
	if err != nil {
		d.t.Fatal(err)
	}
	return text(content)
}
