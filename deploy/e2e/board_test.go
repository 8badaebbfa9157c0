package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"plenum.internal/client"
	"plenum.internal/deploy/cluster"
	"plenum.internal/deploy/clustertest"
)

// Topics of the classes RING and VIEW, and HTTP routes, by a service that Plenum doesn't have, in both shapes.

func TestBoardInOneProcess(t *testing.T) {
	t.Parallel()
	data, operator := filepath.Join(t.TempDir(), "data"), freeAddress(t)
	s := &boarded{shape: oneBinaryOf(t, "boarded", data, "--self_signed", "--node.obs.listen", operator), metrics: []string{operator}}
	pem, err := os.ReadFile(filepath.Join(data, "tls", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.trust = &tls.Config{RootCAs: x509.NewCertPool()}
	s.trust.RootCAs.AppendCertsFromPEM(pem)
	s.pids = func() map[string]int { return map[string]int{"boarded": s.pid()} }
	s.dies = s.crash[0]
	s.setup = func(t *testing.T) string {
		_, secret, _ := strings.Cut(newDesk(t).ok(t, "", "operator", "--data", data, "--server", s.server, "setup"), "#setup=")
		return strings.TrimSpace(secret)
	}
	s.owner = s.setUp(t)
	boards(t, s.shape)
	attachments(t, s)
}

func TestBoardInACluster(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t, func(cfg *cluster.Config) { cfg.Extra, cfg.Gateways = []string{"board"}, 2 })
	s := &boarded{shape: &shape{cluster: c, link: c.SetupLink()}, nodes: []string{"board-1", "board-2"}}
	for i, address := range c.Addresses() {
		s.gateways = append(s.gateways, "http://"+address)
		s.metrics = append(s.metrics, c.IP(fmt.Sprint("gateway-", i+1))+":9000")
	}
	s.server = s.gateways[0]
	s.pids = func() map[string]int {
		pids := map[string]int{}
		for _, name := range append([]string{"gateway-1", "gateway-2"}, s.nodes...) {
			pids[name] = c.PID(name)
		}
		return pids
	}
	s.dies = fault{
		"the board", func(t *testing.T) {
			for _, name := range s.nodes {
				_ = c.Kill(name) // one of them may be dead already
			}
		}, func(t *testing.T) {
			if err := c.StartAgain(t.Context(), s.nodes...); err != nil {
				t.Fatal(err)
			}
		},
	}
	s.setup = func(t *testing.T) string {
		secret, err := c.IssueSetup(within(t, patience))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	s.owner = s.setUp(t)
	boards(t, s.shape)
	attachments(t, s)
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
		lines = append(lines, s.dial(t, gateway, token, all(1)))
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

func (s *shape) dial(t *testing.T, gateway, token, first string) *line {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.trust}
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
