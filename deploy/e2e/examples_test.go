package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"plenum.internal/client"
)

// workedExamples runs the examples of PROTOCOL.md as they stand there, so that the page can't drift from the server.
func workedExamples(t *testing.T, s *shape) {
	ada := s.member(t)
	channel := s.channel(t, private, ada)
	// What belongs to Ada is derived a moment after she was added.
	token, err := ada.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	s.dial(t, s.server, token, `{"subscribe":{"id":1,"wants":[{"topic":"chat.mine/me"}]}}`).until(`"chat.channel/` + channel + `"`)
	page, err := os.ReadFile("../../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?ms)^```example\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(examples) < 10 {
		t.Fatalf("%d examples: the test looks for the wrong thing", len(examples))
	}
	known := values{"slug": "acme", "handle": ada.Handle, "password": password, "client": client.NewID(), "channel": channel, "seq": "17", "seq2": "18"}
	for i, e := range examples {
		x := &example{t: t, server: s.server, known: known, name: fmt.Sprintf("example %d", i+1)}
		x.run(within(t, patience), strings.Split(strings.TrimSpace(e[1]), "\n"))
	}
}

// example is one of them under way.
type example struct {
	t      *testing.T
	name   string
	server string
	known  values
}

// run follows the lines: where to, headers, and groups of what the client and the server say.
func (x *example) run(ctx context.Context, lines []string) {
	x.t.Helper()
	way, path, _ := strings.Cut(x.known.fill(lines[0]), " ")
	if way == "WebSocket" {
		x.converse(ctx, path, lines[1:])
		return
	}
	var says, hears []string
	header := http.Header{"Content-Type": {"application/json"}}
	for _, line := range lines[1:] {
		switch field, value, _ := strings.Cut(line, ": "); {
		case strings.HasPrefix(line, "> "):
			says = append(says, x.known.fill(line[2:]))
		case strings.HasPrefix(line, "< "):
			hears = append(hears, line[2:])
		default:
			header.Set(field, x.known.fill(value))
		}
	}
	status := http.StatusOK
	if code, rest, ok := strings.Cut(hears[0], " "); ok && !strings.HasPrefix(code, "{") {
		_, _ = fmt.Sscan(code, &status)
		hears[0] = rest
	}
	ctx, cancel := context.WithCancel(ctx) // a stream doesn't end by itself
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, way, x.server+path, strings.NewReader(strings.Join(says, "\n")))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header = header
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		x.t.Fatalf("%s: %v", x.name, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != status {
		body, _ := io.ReadAll(res.Body)
		x.t.Fatalf("%s: %s %s", x.name, res.Status, body)
	}
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, 1<<20)
	events := res.Header.Get("Content-Type") == "text/event-stream"
	x.hear(hears, func() string {
		for in.Scan() {
			data, ok := strings.CutPrefix(in.Text(), "data: ")
			if ok || !events {
				return data
			}
		}
		return ""
	})
	if !events && in.Scan() {
		x.t.Errorf("%s: behind the answer: %s", x.name, in.Text())
	}
}

// converse is run over a WebSocket.
func (x *example) converse(ctx context.Context, where string, lines []string) {
	x.t.Helper()
	path, subprotocol, _ := strings.Cut(where, " ")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(x.server, "http")+path, //nolint:bodyclose // the library has
		&websocket.DialOptions{Subprotocols: []string{subprotocol}, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	var waiting []string
	next := func() string {
		for len(waiting) == 0 {
			_, data, err := ws.Read(ctx)
			if err != nil {
				x.t.Fatalf("%s: %v", x.name, err)
			}
			waiting = strings.Split(strings.TrimSpace(string(data)), "\n")
		}
		line := waiting[0]
		waiting = waiting[1:]
		return line
	}
	for len(lines) > 0 {
		side := lines[0][:2]
		n := slices.IndexFunc(lines, func(l string) bool { return l[:2] != side })
		if n < 0 {
			n = len(lines)
		}
		var group []string
		for _, line := range lines[:n] {
			group = append(group, line[2:])
		}
		lines = lines[n:]
		if side == "< " {
			x.hear(group, next)
			continue
		}
		if err := ws.Write(ctx, websocket.MessageText, []byte(x.known.fill(strings.Join(group, "\n")))); err != nil {
			x.t.Fatal(err)
		}
	}
}

// hear reads until all that is expected has come, in any order, and nothing else.
func (x *example) hear(expected []string, next func() string) {
	x.t.Helper()
	expected = slices.Clone(expected)
	for len(expected) > 0 {
		line := next()
		if line == "" {
			x.t.Fatalf("%s: it ended before %s", x.name, expected[0])
		}
		if strings.HasPrefix(line, `{"ping"`) {
			continue
		}
		var said any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			x.t.Fatalf("%s: %v in %s", x.name, err, line)
		}
		at := slices.IndexFunc(expected, func(pattern string) bool {
			var p any
			if err := json.Unmarshal([]byte(pattern), &p); err != nil {
				x.t.Fatalf("%s: %v in %s", x.name, err, pattern)
			}
			learned := maps.Clone(x.known)
			if !learned.match(p, said) {
				return false
			}
			x.known.learn(learned)
			return true
		})
		if at < 0 && strings.HasPrefix(line, `{"heads"`) && !strings.Contains(line, `"snapshot"`) {
			continue
		}
		if at < 0 {
			x.t.Fatalf("%s: the server says\n%s\nwhere the page has\n%s", x.name, line, strings.Join(expected, "\n"))
		}
		expected = slices.Delete(expected, at, at+1)
	}
}

// values are what the page's $names stand for.
type values map[string]string

var name = regexp.MustCompile(`\$[a-z0-9]+`)

// fill puts in what is known.
func (v values) fill(text string) string {
	return name.ReplaceAllStringFunc(text, func(n string) string {
		if value, ok := v[n[1:]]; ok {
			return value
		}
		return n
	})
}

func (v values) learn(from values) { maps.Copy(v, from) }

// match compares what was said with the page, and learns what is not known yet. Objects may have more than the page tells.
func (v values) match(page, said any) bool {
	switch p := page.(type) {
	case map[string]any:
		s, ok := said.(map[string]any)
		for field := range p {
			ok = ok && s[field] != nil && v.match(p[field], s[field])
		}
		return ok
	case []any:
		s, ok := said.([]any)
		ok = ok && len(s) == len(p)
		for i := range p {
			ok = ok && v.match(p[i], s[i])
		}
		return ok
	case string:
		if p == "…" {
			return true
		}
		if filled := v.fill(p); filled != p || !name.MatchString(p) {
			return filled == fmt.Sprint(said)
		}
		v[p[1:]] = fmt.Sprint(said)
		return true
	}
	return page == said
}
