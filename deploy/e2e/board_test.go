package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"plenum.internal/client"
	"plenum.internal/deploy"
	"plenum.internal/deploy/cluster"
	"plenum.internal/deploy/clustertest"
	"plenum.internal/mesh/meshtest/board"
)

// Topics of the classes RING and VIEW, by a service that Plenum doesn't have, in both shapes.

func TestBoardInOneProcess(t *testing.T) {
	t.Parallel()
	cfg := deploy.DefaultConfig()
	cfg.Addr, cfg.Data, cfg.Node.Obs.Log.Level = "127.0.0.1:0", filepath.Join(t.TempDir(), "data"), "error"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, ended := make(printed, 10), make(chan error, 1)
	go func() { ended <- deploy.RunAll(ctx, cfg, out, t.Output(), board.Node()) }()
	var text string
	select {
	case text = <-out:
	case err := <-ended:
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(text, "ready at ")
	server, _, _ = strings.Cut(server, " ")
	_, link, _ := strings.Cut(text, "plenumctl setup '")
	link, _, _ = strings.Cut(link, "'")
	s := &shape{server: server, gateways: []string{server}, link: link}
	s.owner = s.setUp(t)
	boards(t, s)
	s.owner.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// printed is what a person reads.
type printed chan string

func (p printed) Write(b []byte) (int, error) {
	p <- string(b)
	return len(b), nil
}

func TestBoardInACluster(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t, func(cfg *cluster.Config) { cfg.Extra, cfg.Gateways = []string{"board"}, 2 })
	s := &shape{cluster: c, link: c.SetupLink()}
	for _, address := range c.Addresses() {
		s.gateways = append(s.gateways, "http://"+address)
	}
	s.server = s.gateways[0]
	s.owner = s.setUp(t)
	boards(t, s)
}

// boards: people at different gateways follow a wall and see notes; when their owner dies, the wall's history and the notes begin anew.
func boards(t *testing.T, s *shape) {
	t.Helper()
	token, err := s.owner.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	id := unique("b")
	wall, notes := "board.wall/"+id, "board.notes/"+id
	all := func(id int) string {
		return fmt.Sprintf(`{"subscribe":{"id":%d,"wants":[{"topic":%q},{"topic":%q,"params":{"prefix":"a"}}]}}`, id, wall, notes)
	}
	var lines []*line
	for _, gateway := range s.gateways {
		lines = append(lines, dial(t, gateway, token, all(1)))
	}
	call := func(seq int, method, body string) {
		t.Helper()
		l := lines[0]
		l.send(fmt.Sprintf(`{"call":{"id":%d,"method":"plenum.board.v1.BoardService/%s","clientSeq":"%d","body":{"board":%q,%s}}}`, seq, method, seq, id, body))
		l.until(fmt.Sprintf(`{"reply":{"id":%d,"body"`, seq))
	}
	for _, l := range lines {
		l.until(`"snapshot":true,"entries":[]`)
	}
	call(1, "Post", `"text":"hello"`)
	call(2, "Put", `"key":"a1","text":"one"`)
	call(3, "Put", `"key":"b1","text":"not looked at"`)
	for _, l := range lines {
		l.until(`"text":"hello"`)
		l.until(`"key":"a1"`)
	}
	call(4, "Remove", `"key":"a1"`)
	for _, l := range lines {
		l.until(`"key":"a1","removed":true`)
		l.never(`"b1"`)
	}
	if s.cluster == nil {
		return
	}
	s.kill(t, "board-1", "board-2")
	for _, l := range lines {
		l.until(`"stale":true`)
	}
	if err := s.cluster.StartAgain(t.Context(), "board-1", "board-2"); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		l.until(`"CODE_RESET_EPOCH"`)
		l.until(`"snapshot":true,"entries":[]`)
	}
	for i, l := range lines {
		l.send(all(2 + i))
		l.until(`"snapshot":true`)
	}
	call(5, "Post", `"text":"anew"`)
	for _, l := range lines {
		l.until(`"text":"anew"`)
	}
}

// line is a connection that speaks JSON, one frame a line.
type line struct {
	t  *testing.T
	ws *websocket.Conn

	mu    sync.Mutex // guards all below
	heard []string   // in their order, those that were waited for taken out
	all   []string
	more  chan struct{} // capacity 1
}

func dial(t *testing.T, gateway, token, first string) *line {
	t.Helper()
	transport := &http.Transport{}
	ws, _, err := websocket.Dial(within(t, patience), strings.Replace(gateway, "http", "ws", 1)+"/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"plenum.v1.json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(8 << 20)
	l := &line{t: t, ws: ws, more: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.read()
	}()
	t.Cleanup(func() {
		_ = ws.CloseNow()
		<-done
		transport.CloseIdleConnections()
	})
	l.send(fmt.Sprintf(`{"hello":{"token":%q,"clientId":%q,"sessionId":%q}}`, token, client.NewID(), client.NewID()) + "\n" + first)
	return l
}

func (l *line) read() {
	for {
		_, data, err := l.ws.Read(context.Background())
		if err != nil {
			return
		}
		l.mu.Lock()
		for text := range strings.Lines(string(data)) {
			var flat bytes.Buffer
			_ = json.Compact(&flat, []byte(text)) // protojson varies its blanks
			l.heard, l.all = append(l.heard, flat.String()), append(l.all, flat.String())
		}
		l.mu.Unlock()
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
}

func (l *line) send(text string) {
	l.t.Helper()
	if err := l.ws.Write(within(l.t, patience), websocket.MessageText, []byte(text)); err != nil {
		l.t.Fatal(err)
	}
}

// until waits for a frame that holds a text, and forgets it; others stay, whatever their order.
func (l *line) until(holds string) {
	l.t.Helper()
	late := time.After(patience)
	for {
		l.mu.Lock()
		for i, text := range l.heard {
			if strings.Contains(text, holds) {
				l.heard = append(l.heard[:i], l.heard[i+1:]...)
				l.mu.Unlock()
				return
			}
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-late:
			l.mu.Lock()
			defer l.mu.Unlock()
			l.t.Fatalf("%s did not come, but:\n%s", holds, strings.Join(l.all, "\n"))
		}
	}
}

// never checks that nothing of the kind has come.
func (l *line) never(holds string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.all {
		if strings.Contains(text, holds) {
			l.t.Errorf("came: %s", text)
		}
	}
}
