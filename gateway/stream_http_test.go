package gateway

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// What comes in chunks, perhaps with a length beside them, is the last of its connection: a proxy that goes by the length would see another
// request there than the gateway does.
func TestChunksEndTheConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for _, length := range []string{"", "Content-Length: 5\r\n"} {
			c := s.written("POST /plenum.test.v1.TestService/Hello HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\n" + length +
				"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: plenum.test\r\n\r\n")
			data, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(data), "HTTP/1.1 200") || strings.Contains(string(data), "alive") {
				t.Errorf("%q %v", data, err)
			}
			_ = c.Close()
		}
	})
}

// What waits in silence over HTTP/2 is not reset: there a deadline for writing counts also while nobody writes.
func TestSilenceOverHTTP2(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		for _, path := range []string{pathPoll, pathPoll + "?wait=55000", pathEvents} {
			c := s.http2(p, false)
			s.must(c.ask(path, string(lines(s, []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))}))))
			time.Sleep(58 * time.Second)
			synctest.Wait()
			c.mu.Lock()
			if c.resets[http2.ErrCodeInternal] > 0 {
				t.Errorf("%s was reset", path)
			}
			c.mu.Unlock()
			_ = c.Close()
			synctest.Wait()
		}
	})
}

// A body that doesn't come, or that is no message, keeps no connection: there is an end to waiting for it.
func TestBodyThatIsNotRead(t *testing.T) {
	for name, request := range map[string]string{
		"a GET with a body": "GET /edge/v1/sse HTTP/1.1\r\nHost: plenum.test\r\nAuthorization: Bearer x\r\nContent-Length: 10\r\n\r\n",
		"a message too long that stops": "POST /edge/v1/poll HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\nContent-Length: 70000\r\n\r\n" +
			strings.Repeat(" ", 66000),
		"nothing": "POST /edge/v1/poll HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
	} {
		inBubble(t, nil, func(t *testing.T, s *system) {
			c := s.raw()
			_, err := io.WriteString(c, request)
			s.must(err)
			time.Sleep(time.Minute)
			synctest.Wait()
			select {
			case <-c.closed:
			default:
				t.Errorf("%s: the connection is still there", name)
			}
			_ = c.Close()
		})
	}
}

// What is left of a body is not taken for the next request: neither behind a message that came too late, nor behind a refusal.
func TestRestOfBodyIsNoRequest(t *testing.T) {
	const rest = "GET /livez HTTP/1.1\r\nHost: plenum.test\r\n\r\n"
	for _, after := range []time.Duration{time.Second, 10 * time.Second, 31 * time.Second} {
		for most, refused := range map[int]bool{100: false, 1: true} {
			inBubble(t, func(c *Config) { c.MaxSessions = most }, func(t *testing.T, s *system) {
				other := s.signIn("bob")
				c := s.raw()
				_, err := fmt.Fprintf(c, "POST /edge/v1/poll HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"x\"", 4+len(rest))
				s.must(err)
				time.Sleep(after)
				synctest.Wait()
				_, _ = io.WriteString(c, rest) // the connection may be closed
				time.Sleep(time.Second)
				synctest.Wait()
				if strings.Contains(c.text(), "alive") {
					t.Errorf("after %v, refused: %v: it was answered", after, refused)
				}
				_ = c.Close()
				other.close()
			})
		}
	}
}
