package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/mesh/meshtest/board/boardv1"
)

// surfer sends plain requests as somebody, to one gateway and over one version of HTTP.
type surfer struct {
	t       *testing.T
	by      *http.Client
	gateway string
	token   string // empty: none
	version string
}

func (c *surfer) String() string { return c.version + " at " + c.gateway }

// surfers are somebody's ways to the gateways: over HTTP/2, too, where there is TLS.
func (s *boarded) surfers(t *testing.T, p *person) (all []*surfer) {
	t.Helper()
	token, err := p.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, gateway := range s.gateways {
		for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
			if version == "HTTP/2" && s.trust == nil {
				continue
			}
			// Whoever waits to be asked for a body does so for as long as it takes.
			transport := &http.Transport{TLSClientConfig: s.trust.Clone(), ForceAttemptHTTP2: version == "HTTP/2", ExpectContinueTimeout: patience}
			t.Cleanup(transport.CloseIdleConnections)
			all = append(all, &surfer{t, &http.Client{Transport: transport}, gateway, token, version})
		}
	}
	return all
}

// send sends a request, and returns when the head of the response is there.
func (c *surfer) send(method, path string, body io.Reader, length int64, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.gateway+path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = length
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.by.Do(r)
	if err == nil && !strings.HasPrefix(res.Proto, c.version) {
		c.t.Errorf("%v was answered over %s", c, res.Proto)
	}
	return res, err
}

// answer reads a short response.
func (c *surfer) answer(res *http.Response, err error) (status int, text string) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("by %v: %v", c, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, part))
	if err != nil {
		c.t.Fatalf("by %v: %s, then %v", c, res.Status, err)
	}
	return res.StatusCode, string(data)
}

func (c *surfer) ask(method, path string) (status int, text string) {
	c.t.Helper()
	return c.answer(c.send(method, path, nil, 0))
}

// put uploads so many bytes under a name, and returns their digest.
func (c *surfer) put(name string, n int64) (sum []byte) {
	c.t.Helper()
	digest := sha256.New()
	if status, text := c.answer(c.send(http.MethodPut, attachmentsPath+name, io.TeeReader(content(name, n), digest), n)); status != http.StatusCreated {
		c.t.Fatalf("put by %v: %d %s", c, status, text)
	}
	return digest.Sum(nil)
}

// get begins a download, of what follows the first bytes if it still has this tag.
func (c *surfer) get(name string, from int64, tag string) *http.Response {
	c.t.Helper()
	res, err := c.send(http.MethodGet, attachmentsPath+name, nil, 0, since(from, tag)...)
	if err != nil {
		c.t.Fatalf("get by %v: %v", c, err)
	}
	return res
}

func since(from int64, tag string) (header []string) {
	if from == 0 {
		return nil
	}
	return []string{"Range", fmt.Sprintf("bytes=%d-", from), "If-Range", tag}
}

// rest downloads what follows the first bytes.
func (c *surfer) rest(to io.Writer, name string, from int64, tag string) {
	c.t.Helper()
	res := c.get(name, from, tag)
	defer res.Body.Close()
	want := http.StatusOK
	if from > 0 {
		want = http.StatusPartialContent
	}
	n, err := io.Copy(to, res.Body)
	if err != nil || res.StatusCode != want || res.ContentLength != n {
		c.t.Fatalf("get by %v: %s, %d bytes of %d, %v", c, res.Status, n, res.ContentLength, err)
	}
}

// goOn is rest where the board may be away yet: it asks until it is not.
func (c *surfer) goOn(to io.Writer, name string, from int64, tag string) {
	c.t.Helper()
	eventually(c.t, "it goes on by "+c.String(), func(context.Context) error {
		res, err := c.send(http.MethodHead, attachmentsPath+name, nil, 0, since(from, tag)...)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusPartialContent {
			return fmt.Errorf("it was answered %s", res.Status)
		}
		return nil
	})
	c.rest(to, name, from, tag)
}

// upload is how one ended, and when; without a status where there was no answer.
type upload struct {
	status int
	at     time.Time
}

// slowly begins an upload of some 10 s, and returns when it was asked for the body.
func (c *surfer) slowly(name string) (ended <-chan upload) {
	c.t.Helper()
	asked, out := make(chan struct{}), make(chan upload, 1)
	go func() {
		res, err := c.send(http.MethodPut, attachmentsPath+name, &paced{Reader: content(name, large), begun: asked}, large, "Expect", "100-continue")
		u := upload{at: time.Now()}
		if err == nil {
			u.status = res.StatusCode
			_ = res.Body.Close()
		}
		out <- u
	}()
	select {
	case <-asked:
	case u := <-out:
		c.t.Fatalf("an upload by %v: %d before it began", c, u.status)
	}
	return out
}

// counted is a body that counts what is taken of it.
type counted struct {
	io.Reader
	taken atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.taken.Add(int64(n))
	return n, err
}

// paced is a body at some 25 MB a second.
type paced struct {
	io.Reader
	begun chan struct{} // closed when the body is asked for; nil: nobody waits for it
	part  int           // bytes until the next pause
}

func (p *paced) Read(b []byte) (int, error) {
	if p.begun != nil {
		close(p.begun)
		p.begun = nil
	}
	n, err := p.Reader.Read(b)
	if p.part -= n; p.part < 0 {
		p.part = 256 << 10
		time.Sleep(10 * time.Millisecond)
	}
	return n, err
}

// callBeside has somebody call the board at every gateway in turn, until stop is called.
func (s *boarded) callBeside(t *testing.T, p *person) (stop func() (calls int, longest time.Duration)) {
	t.Helper()
	token, err := p.Account.Token(within(t, patience), "")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: s.trust.Clone()}
	key, id, done := client.NewID(), unique("b"), make(chan struct{})
	var calls int
	var longest time.Duration
	var calling sync.WaitGroup
	calling.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			h := &client.HTTP{Server: s.gateways[calls%len(s.gateways)], Client: &http.Client{Transport: transport}, Token: token, ClientID: key,
				Seq: func() (uint64, error) { return uint64(calls + 1), nil }}
			begun := time.Now()
			if _, err := boardv1.NewBoardServiceClient(h).Put(t.Context(), &boardv1.PutRequest{Board: id, Key: "k", Text: "beside"}); err != nil {
				t.Errorf("call %d beside it: %v", calls, err)
			}
			calls, longest = calls+1, max(longest, time.Since(begun))
		}
	})
	stop = sync.OnceValues(func() (int, time.Duration) {
		close(done)
		calling.Wait()
		transport.CloseIdleConnections()
		return calls, longest
	})
	t.Cleanup(func() { stop() })
	return stop
}

// forgetPeak has the kernel begin anew with the most memory that a process had; see proc(5).
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// peak is the most memory that a process had since then, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ = strings.Cut(line, "kB")
	kib, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
