package gateway

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// dribble writes a byte at a time until the gateway takes no more. It doesn't wait for that.
func (c *raw) dribble(data []byte, every time.Duration) {
	c.busy.Go(func() {
		for len(data) > 0 && c.pour(data[:1], 1) == 1 {
			data = data[1:]
			time.Sleep(every)
		}
	})
}

// Slowloris: headers that come a byte a second end with the time for headers.
func TestHeadersThatDribble(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		c := s.raw()
		c.dribble([]byte("GET / HTTP/1.1\r\nHost: plenum.test\r\nX-Slow: "+strings.Repeat("x", 1000)), time.Second)
		time.Sleep(2 * time.Second)
		b.undisturbed()
		if took := c.ends(); took > headerTime {
			t.Errorf("it ended after %v", took)
		}
	})
}

// R.U.D.Y.: a body that comes a byte a second ends with the time for requests, and is answered as what may be sent again.
func TestBodyThatDribbles(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		c := s.raw()
		_, err := io.WriteString(c, "POST /plenum.test.v1.TestService/Hello HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
		s.must(err)
		c.dribble(bytes.Repeat([]byte{' '}, 1000), time.Second)
		time.Sleep(requestTime / 2)
		b.undisturbed()
		if took := c.ends(); took > requestTime || !strings.HasPrefix(c.text(), "HTTP/1.1 503") || !strings.Contains(c.text(), "edge.SLOW_BODY") {
			t.Errorf("after %v: %s", took, c.text())
		}
		synctest.Wait()
		if n := s.g.requests.Inside(); n != 0 {
			t.Errorf("%d requests are still counted", n)
		}
	})
}

// A Hello that comes byte by byte has the time for Hello.
func TestHelloThatDribbles(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		c := s.socket("plenum.v1.proto")
		c.dribble(frame(0x82, bytes.Repeat([]byte{0}, 10_000)), 10*time.Millisecond)
		time.Sleep(helloTime / 2)
		b.undisturbed()
		took := c.ends()
		if _, code := c.told(); code != int(edgev1.Code_CODE_SILENT) || took > helloTime+5*time.Second { // 5 s for an answer to the close frame
			t.Errorf("closed with %d after %v", code, took)
		}
	})
}

// A message that never ends is silence, whatever comes of it: a frame of a byte each second, and pings in between.
func TestMessageThatNeverEnds(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		c := s.greeted("mallory")
		begun := time.Now()
		var told time.Duration
		c.busy.Go(func() {
			part := append(frame(0x00, []byte{0}), frame(0x89, nil)...)
			for next := frame(0x02, []byte{0}); c.pour(next, 1) == 1; next = part {
				time.Sleep(time.Second)
				if _, code := c.told(); code != 0 && told == 0 {
					told = time.Since(begun)
				}
			}
		})
		time.Sleep(silence / 2)
		b.undisturbed()
		c.ends()
		if _, code := c.told(); code != int(edgev1.Code_CODE_SILENT) || told < silence || told > silence+time.Second {
			t.Errorf("closed with %d after %v", code, told)
		}
	})
}

// A peer that is gone without a word, as when its power fails: its session ends, whether its system still takes what is sent to it or not.
func TestPeerThatIsGone(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		deaf := s.signIn("deaf") // reads nothing: the ping is stuck
		s.greeted("mute")        // takes everything and answers nothing
		synctest.Wait()
		if n := s.metric("sessions"); n != 3 {
			t.Fatalf("%v sessions", n)
		}
		b.passes(silence + 10*time.Second)
		if n := s.metric("sessions"); n != 1 {
			t.Errorf("%v sessions are left", n)
		}
		_ = deaf.ws.CloseNow()
	})
}

// Who asks and takes no answer is gone with the time for answers.
func TestAnswerThatNobodyTakes(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, b *bystander) {
		conn, err := s.dial(t.Context(), "", "")
		s.must(err)
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: plenum.test\r\n\r\n")
		s.must(err)
		b.passes(answerTime)
		synctest.Wait()
		if _, err := conn.Write([]byte{'x'}); err == nil || s.g.requests.Inside() != 0 {
			t.Errorf("%v, %d requests are counted", err, s.g.requests.Inside())
		}
		_ = conn.Close()
	})
}
