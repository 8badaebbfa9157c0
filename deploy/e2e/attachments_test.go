package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenum.internal/deploy/check"
)

// boarded is a shape with the board among its services.
type boarded struct {
	*shape
	nodes   []string                           // the board's own processes; none: it runs in the one binary
	pids    func() map[string]int              // of all through which bodies pass
	dies    fault                              // all of the board, by SIGKILL
	metrics []string                           // where gateways tell theirs, host:port
	setup   func(t *testing.T) (secret string) // of one more workspace
}

// attachments: bodies of any length pass through gateways and the board's processes, whole or not at all, to whom they belong.
func attachments(t *testing.T, s *boarded) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *boarded)
	}{
		{"there and back", thereAndBack},
		{"going on after a break", goingOn},
		{"too large", tooLarge},
		{"whose they are", whoseTheyAre},
		{"what people made", whatPeopleMade},
		{"signed out meanwhile", signedOutMeanwhile},
		{"one node dies", oneNodeDies},
		{"the board dies", boardDies},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
	eventually(t, "nothing is under way", s.idle)
}

const (
	large = 256 << 20 // bytes: many times what lies in buffers on the way
	part  = 1 << 20
	// flat is what a process may grow by while 512 MiB pass through it each way: the chunks and windows of the one body that is under way are
	// less than one MiB, but between two collections garbage may come to as much as the heap, which the one binary has some 50 MiB of.
	flat = 96 << 20
)

const attachmentsPath, contentPath = "/board/attachments/", "/board/content/"

// content is so many bytes that look like chance, the same for the same seed.
func content(seed string, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(seed))), n)
}

// thereAndBack: what comes back is what was sent, by whichever gateway and version of HTTP; no process grows by it, and calls go on.
func thereAndBack(t *testing.T, s *boarded) {
	p := s.member(t)
	all := s.surfers(t, p)
	before := map[string]int64{}
	for name, pid := range s.pids() {
		before[name] = resident(t, pid)
		forgetPeak(t, pid)
	}
	beside := s.callBeside(t, p)
	for i, up := range all {
		down, name, begun := all[(i+1)%len(all)], fmt.Sprint("there-and-back-", i), time.Now()
		sent := up.put(name, large)
		sentAfter := time.Since(begun)
		got := sha256.New()
		down.rest(got, name, 0, "")
		if !bytes.Equal(got.Sum(nil), sent) {
			t.Errorf("by %v and back by %v: not the same", up, down)
		}
		t.Logf("%d MiB by %v after %v, back by %v after another %v", large>>20, up, sentAfter.Round(time.Millisecond), down, (time.Since(begun) - sentAfter).Round(time.Millisecond))
		if status, _ := up.ask(http.MethodDelete, attachmentsPath+name); status != http.StatusNoContent {
			t.Errorf("removed: %d", status)
		}
	}
	calls, longest := beside()
	t.Logf("%d calls beside it, the longest took %v", calls, longest.Round(time.Millisecond))
	for name, pid := range s.pids() {
		grown := peak(t, pid) - before[name]
		t.Logf("%s grew from %d MiB by %d MiB at most", name, before[name]>>20, grown>>20)
		if grown > flat {
			t.Errorf("%s grew by %d MiB", name, grown>>20)
		}
	}
}

// goingOn: who has a part asks for the rest, if it is still of the same.
func goingOn(t *testing.T, s *boarded) {
	for _, c := range s.surfers(t, s.member(t)) {
		sent, got := c.put("going-on", 8*part), sha256.New()
		res := c.get("going-on", 0, "")
		_, err := io.CopyN(got, res.Body, part)
		_ = res.Body.Close() // the client's own break
		if err != nil {
			t.Fatal(err)
		}
		tag := res.Header.Get("Etag")
		c.rest(got, "going-on", part, tag)
		if !bytes.Equal(got.Sum(nil), sent) {
			t.Errorf("by %v: not the same", c)
		}
		again := c.put("going-on", 2*part)
		res = c.get("going-on", part, tag)
		whole := sha256.New()
		if _, err := io.Copy(whole, res.Body); err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(whole.Sum(nil), again) {
			t.Errorf("by %v, another one in its place: %s %v", c, res.Status, err)
		}
		_ = res.Body.Close()
	}
}

// tooLarge: what can't be taken is refused without its bytes where the client waits to be asked, and soon where it doesn't.
func tooLarge(t *testing.T, s *boarded) {
	const length = 1 << 30
	for _, c := range s.surfers(t, s.member(t)) {
		for _, expects := range []bool{true, false} {
			var header []string
			if expects {
				header = []string{"Expect", "100-continue"}
			}
			body := &counted{Reader: content("large", length)}
			status, text := c.answer(c.send(http.MethodPut, attachmentsPath+"too-large", body, length, header...))
			taken := body.taken.Load()
			if status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "at most") || expects && taken > 0 || taken > large {
				t.Errorf("by %v, expects %v: %d %s, after %d bytes", c, expects, status, text, taken)
			}
		}
	}
}

// whoseTheyAre: those of the workspace's people, and nobody else's; what anybody may know, anybody is told.
func whoseTheyAre(t *testing.T, s *boarded) {
	p, colleague := s.member(t), s.member(t)
	stranger := s.enter(t, check.SetUp(s.setup(t), unique("w"), "owner", password))
	mine, theirs, others := s.surfers(t, p), s.surfers(t, colleague), s.surfers(t, stranger)
	for i, c := range mine {
		c.put("ours", part)
		for _, path := range []string{attachmentsPath + "ours", contentPath + "ours"} {
			if status, text := theirs[i].ask(http.MethodGet, path); status != http.StatusOK {
				t.Errorf("a colleague, by %v: %d %s", c, status, text)
			}
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete} {
				if status, text := others[i].ask(method, path); status != http.StatusNotFound && (method != http.MethodDelete || status != http.StatusMethodNotAllowed) {
					t.Errorf("%s %s of another workspace, by %v: %d %s", method, path, c, status, text)
				}
			}
			nobody := *c
			for token, reason := range map[string]string{"": "edge.TOKEN", c.token + "x": "edge.TOKEN_REFUSED"} {
				nobody.token = token
				if status, text := nobody.ask(http.MethodGet, path); status != http.StatusUnauthorized || !strings.Contains(text, reason) {
					t.Errorf("token %.4q, by %v: %d %s", token, c, status, text)
				}
			}
		}
		if status, _ := c.ask(http.MethodGet, attachmentsPath+"ours"); status != http.StatusOK {
			t.Errorf("it is gone, by %v: %d", c, status)
		}
		anybody := *c
		anybody.token = ""
		if status, text := anybody.ask(http.MethodGet, "/board/about/limits"); status != http.StatusOK || !strings.Contains(text, "maxBytes") {
			t.Errorf("the limits, by %v: %d %s", c, status, text)
		}
		for _, path := range []string{attachmentsPath + "%2e%2e/about/limits", "/board/about/../attachments/ours", "/board/about/..%2fattachments/ours", "/board/%61ttachments/ours"} {
			if status, text := c.ask(http.MethodGet, path); status != http.StatusBadRequest || !strings.Contains(text, "rpc.PATH") {
				t.Errorf("%s by %v: %d %s", path, c, status, text)
			}
		}
	}
}

// whatPeopleMade is not taken for a page of the application's.
func whatPeopleMade(t *testing.T, s *boarded) {
	for _, c := range s.surfers(t, s.member(t)) {
		const page = "<script>alert(1)</script>"
		if status, text := c.answer(c.send(http.MethodPut, attachmentsPath+"page.html", strings.NewReader(page), int64(len(page)))); status != http.StatusCreated {
			t.Fatalf("%d %s", status, text)
		}
		for path, want := range map[string]map[string]string{
			contentPath:     {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "sandbox; default-src 'none'"},
			attachmentsPath: {"Content-Type": "application/octet-stream", "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'"},
		} {
			res, err := c.send(http.MethodGet, path+"page.html", nil, 0, "Cookie", "c=1")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			want["Content-Disposition"], want["X-Content-Type-Options"] = "attachment", "nosniff"
			for name, value := range want {
				if got := res.Header.Get(name); !strings.HasPrefix(got, value) {
					t.Errorf("%s by %v: %s: %q", path, c, name, got)
				}
			}
			if err != nil || string(text) != page || len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s by %v: %q %v", path, c, text, err)
			}
		}
	}
}

// signedOutMeanwhile: a transfer ends when its device is signed out, in either direction, and nothing is kept of it.
func signedOutMeanwhile(t *testing.T, s *boarded) {
	const soon = 5 * time.Second // the revocation within 2 s, then what lies in buffers, on a busy machine
	p := s.member(t)
	for i, stays := range s.surfers(t, p) {
		stays.put("long", large)
		phone := s.device(t, p)
		c := s.surfers(t, phone)[i]
		res := c.get("long", 0, "")
		if _, err := io.CopyN(io.Discard, res.Body, part); err != nil {
			t.Fatal(err)
		}
		up := c.slowly("never")
		begun := time.Now()
		if err := phone.Account.SignOut(within(t, patience)); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, &paced{Reader: res.Body})
		_ = res.Body.Close()
		took := time.Since(begun)
		if err == nil || took > soon {
			t.Errorf("a download by %v ends %v after the sign-out: %v", c, took, err)
		}
		end := <-up
		after := end.at.Sub(begun)
		if end.status != 0 && end.status != http.StatusUnauthorized || after > soon {
			t.Errorf("an upload by %v ends %v after the sign-out with %d", c, after, end.status)
		}
		t.Logf("by %v: cut off after %v, with %d MiB more read, and after %v with status %d", c, took.Round(time.Millisecond), n>>20, after.Round(time.Millisecond), end.status)
		if status, _ := c.ask(http.MethodGet, attachmentsPath+"long"); status != http.StatusUnauthorized {
			t.Errorf("by %v, afterwards: %d", c, status)
		}
		if status, _ := stays.ask(http.MethodGet, attachmentsPath+"never"); status != http.StatusNotFound {
			t.Errorf("by %v, what was cut off: %d", c, status)
		}
	}
}

// oneNodeDies, and what it was sending goes on by another.
func oneNodeDies(t *testing.T, s *boarded) {
	if len(s.nodes) == 0 {
		t.Skip("there is one process")
	}
	all := s.surfers(t, s.member(t))
	sent, got := all[0].put("one-node", large), sha256.New()
	res := all[0].get("one-node", 0, "")
	if _, err := io.CopyN(got, res.Body, part); err != nil {
		t.Fatal(err)
	}
	node := s.sender(t, "one-node")
	s.kill(t, node)
	n := brokenOff(t, all[0], got, res)
	begun := time.Now()
	all[1].goOn(got, "one-node", part+n, res.Header.Get("Etag"))
	if !bytes.Equal(got.Sum(nil), sent) {
		t.Error("not the same")
	}
	t.Logf("%s died after %d MiB; the rest came by another one, %v later", node, (part+n)>>20, time.Since(begun).Round(time.Millisecond))
	if err := s.cluster.StartAgain(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

// boardDies: nobody takes a part for the whole, who asks meanwhile is told, and who goes on afterwards gets the rest.
func boardDies(t *testing.T, s *boarded) {
	all := s.surfers(t, s.member(t))
	sent := all[0].put("dies", large)
	for _, c := range all {
		got := sha256.New()
		res := c.get("dies", 0, "")
		if _, err := io.CopyN(got, res.Body, part); err != nil {
			t.Fatal(err)
		}
		up := c.slowly("never")
		s.dies.do(t)
		n := brokenOff(t, c, got, res)
		if end := <-up; end.status != 0 && end.status != http.StatusBadGateway {
			t.Errorf("by %v, an upload to it: %d", c, end.status)
		}
		told := map[int]int{}
		for range 10 {
			if s.cluster == nil { // the gateway is gone with it
				break
			}
			status, text := c.ask(http.MethodGet, attachmentsPath+"dies")
			if told[status]++; status != http.StatusBadGateway && status != http.StatusServiceUnavailable || !strings.Contains(text, `"reason"`) {
				t.Errorf("by %v, while it is away: %d %s", c, status, text)
			}
		}
		s.dies.undo(t)
		begun := time.Now()
		c.goOn(got, "dies", part+n, res.Header.Get("Etag"))
		if !bytes.Equal(got.Sum(nil), sent) {
			t.Errorf("by %v: not the same", c)
		}
		if status, _ := c.ask(http.MethodGet, attachmentsPath+"never"); status != http.StatusNotFound {
			t.Errorf("by %v, a part of an upload: %d", c, status)
		}
		t.Logf("by %v: broken off after %d MiB; while it was away %v; the rest came within %v of its return", c, (part+n)>>20, told, time.Since(begun).Round(time.Millisecond))
	}
}

// brokenOff reads a response to its end, which must not be that of the whole.
func brokenOff(t *testing.T, c *surfer, to io.Writer, res *http.Response) (n int64) {
	t.Helper()
	n, err := io.Copy(to, res.Body)
	_ = res.Body.Close()
	if err == nil || n >= large-part {
		t.Fatalf("by %v: %d bytes were taken for the whole: %v", c, n, err)
	}
	return n
}

// sender is the process that has an attachment open.
func (s *boarded) sender(t *testing.T, name string) string {
	t.Helper()
	for process, pid := range s.pids() {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, file := range files {
			if path, err := os.Readlink(file); err == nil && filepath.Base(path) == name {
				return process
			}
		}
	}
	t.Fatalf("nobody sends %s", name)
	return ""
}

// idle reports whether no gateway has a request of a route under way.
func (s *boarded) idle(ctx context.Context) error {
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, address := range s.metrics {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			return err
		}
		res, err := plain.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "\nplenum_gateway_exchanges 0\n") {
			return errors.New("at " + address + " requests are under way")
		}
	}
	return nil
}
