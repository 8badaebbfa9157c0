package gateway

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Headers without end: by bytes, which bounds their number too, and by number.
func TestFloodOfHeaders(t *testing.T) {
	many := &strings.Builder{}
	for i := range 20_000 {
		fmt.Fprintf(many, "%d:\r\n", i)
	}
	for name, headers := range map[string]string{
		"one":  "X-Large: " + strings.Repeat("x", 1<<20),
		"many": many.String(),
		"host": "Host: " + strings.Repeat("x", 100<<10),
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, nil, func(t *testing.T, s *system, _ *bystander) {
				c := s.raw()
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: plenum.test\r\n")
				sent := c.pour([]byte(headers), 1)
				c.ends()
				if sent != 0 || !strings.HasPrefix(c.text(), "HTTP/1.1 431") {
					t.Errorf("all was taken: %v; %s", sent != 0, c.text())
				}
			})
		})
	}
}

// Pings of WebSocket are answered, as are parts of a message taken, to a bound: then whoever sends no message is told that it floods.
func TestFloodOfFramesWithoutMessage(t *testing.T) {
	const most = 4096
	for name, x := range map[string]struct{ begins, goesOn []byte }{
		"pings":        {nil, frame(0x89, []byte("x"))},
		"pongs":        {nil, frame(0x8a, nil)},
		"empty parts":  {frame(0x02, nil), frame(0x00, nil)},
		"tiny parts":   {frame(0x02, nil), frame(0x00, []byte{0})},
		"pings inside": {frame(0x02, nil), frame(0x89, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, nil, func(t *testing.T, s *system, _ *bystander) {
				c := s.greeted("mallory")
				_, _ = c.Write(x.begins)
				taken := c.pour(x.goesOn, 2*most)
				c.ends()
				if count, code := c.told(); taken > most+1 || count[10] > most || code != int(edgev1.Code_CODE_FLOOD) {
					t.Errorf("%d were taken, %d answered, closed with %d", taken, count[10], code)
				}
			})
		})
	}
}

// A message between the frames doesn't help: they cost what frames of the protocol do, and so the connection becomes slow.
func TestFloodOfFramesIsSlowed(t *testing.T) {
	for name, x := range map[string]struct {
		burst  []byte
		frames int // of WebSocket
	}{
		"empty messages": {frame(0x82, nil), 1},
		"pings between":  {append(repeat(frame(0x89, nil), 99), frame(0x82, nil)...), 100},
		"tiny parts":     {append(append(frame(0x02, nil), repeat(frame(0x00, nil), 98)...), frame(0x80, nil)...), 100},
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
				const seconds = 20
				c := s.greeted("mallory")
				times := (int(framesRate.Burst) + seconds*int(framesRate.PerSecond)) / x.frames
				begun := time.Now()
				done := make(chan int, 1)
				go func() { done <- c.pour(x.burst, times) }()
				time.Sleep(time.Second)
				b.undisturbed()
				if n, took := <-done, time.Since(begun); n < times || took < (seconds-1)*time.Second {
					t.Errorf("%d of %d were taken in %v", n, times, took)
				}
				_ = c.Close()
				synctest.Wait()
			})
		})
	}
}

func repeat(b []byte, n int) []byte { return []byte(strings.Repeat(string(b), n)) }
