package gateway

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Nothing that clients send is ever unpacked: compression of WebSocket is not negotiated (socket looks), and a frame that has it breaks the
// protocol; calls that are compressed are refused. What is no call reads no body.
func TestCompressionBombs(t *testing.T) {
	var zipped, deflated bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(make([]byte, 10<<20))
	_ = z.Close()
	f, _ := flate.NewWriter(&deflated, flate.BestCompression)
	_, _ = f.Write(make([]byte, 10<<20))
	_ = f.Close()
	attacked(t, nil, func(t *testing.T, s *system, _ *bystander) {
		c := s.greeted("mallory")
		c.pour(frame(0xc2, deflated.Bytes()), 1)
		c.ends()
		if _, code := c.told(); code != 1002 {
			t.Errorf("a compressed message: closed with %d", code)
		}
		for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "identity, gzip", "x-gzip"} {
			res, data := s.request("POST", "/plenum.test.v1.TestService/Hello", zipped.String(), "Content-Type", asJSON, "Content-Encoding", encoding)
			if res.StatusCode != http.StatusNotImplemented || !strings.Contains(string(data), "edge.CONTENT_ENCODING") {
				t.Errorf("%s: %s %s", encoding, res.Status, data)
			}
		}
		for name, headers := range map[string]string{
			"400": "Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
			"501": "Transfer-Encoding: gzip, chunked\r\n\r\n",
		} {
			c := s.raw()
			c.pour([]byte("POST /plenum.test.v1.TestService/Hello HTTP/1.1\r\nHost: plenum.test\r\nConnection: close\r\nContent-Type: application/json\r\n"+headers), 1)
			if c.ends(); !strings.HasPrefix(c.text(), "HTTP/1.1 "+name) {
				t.Errorf("%s: %s", name, c.text())
			}
		}
	})
}

// JSON that is deep, huge in number or in doubt is refused, and nobody waits for it. (Time in a bubble tells waiting, not computing.)
func TestBombsOfJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	attacked(t, nil, func(t *testing.T, s *system, _ *bystander) {
		for name, body := range map[string]string{
			"deep":                  `{"text":` + deep(30_000) + `}`,
			"deep, unknown":         `{"nothing":` + deep(30_000) + `}`,
			"deep objects":          strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
			"a huge exponent":       `{"waitMs":1e999999999}`,
			"a huge fraction":       `{"waitMs":1` + strings.Repeat("0", 30_000) + `e-30000000}`,
			"a long number":         `{"waitMs":` + strings.Repeat("9", 60_000) + `}`,
			"the same name twice":   `{"text":"a","text":"b"}`,
			"the same, in two ways": `{"waitMs":1,"wait_ms":2}`,
			"half a character":      `{"text":"\ud800"}`,
		} {
			begun := time.Now()
			res, data := s.request("POST", "/plenum.test.v1.TestService/Hello", body, "Content-Type", asJSON)
			if res.StatusCode != http.StatusBadRequest || time.Since(begun) > 0 {
				t.Errorf("%s: %s %.200s", name, res.Status, data)
			}
		}
		for name, x := range map[string]struct {
			line string
			code edgev1.Code
		}{
			"deep, unknown":       {`{"nothing":` + deep(30_000) + `}`, edgev1.Code_CODE_MALFORMED},
			"deep, known":         {`{"hello":{"token":` + deep(30_000) + `}}`, edgev1.Code_CODE_MALFORMED},
			"deep parameters":     {`{"subscribe":{"wants":[{"params":` + deep(30_000) + `}]}}`, edgev1.Code_CODE_MALFORMED},
			"less deep, unknown":  {`{"nothing":` + deep(5000) + `}`, edgev1.Code_CODE_MALFORMED},
			"the same name twice": {`{"hello":{"token":"a","token":"b"}}`, edgev1.Code_CODE_MALFORMED},
			"a huge number":       {`{"ping":{"nonce":1e999999999}}`, edgev1.Code_CODE_MALFORMED},
			"nothing, often":      {strings.Repeat("{}\n", 20_000), edgev1.Code_CODE_SILENT}, // still no Hello
		} {
			c := s.socket("plenum.v1.json")
			c.pour(frame(0x81, []byte(x.line)), 1)
			c.ends()
			if _, code := c.told(); code != int(x.code) {
				t.Errorf("%s: closed with %d, want %d; %.200s", name, code, x.code, c.text())
			}
		}
	})
}

// A body that is announced as huge takes room for what has come of it (TestUnfinishedBody), and what is longer than its method takes is
// answered before it is read to its end.
func TestHugeBody(t *testing.T) {
	attacked(t, nil, func(t *testing.T, s *system, _ *bystander) {
		for _, length := range []string{"Content-Length: 1000000000000", "Transfer-Encoding: chunked"} {
			c := s.raw()
			_, err := io.WriteString(c, "POST /plenum.test.v1.TestService/Hello HTTP/1.1\r\nHost: plenum.test\r\nContent-Type: application/json\r\n"+length+"\r\n\r\n")
			s.must(err)
			part := append([]byte("8000\r\n"), append(bytes.Repeat([]byte{' '}, 32<<10), "\r\n"...)...)
			sent := len(part) * c.pour(part, 1000)
			c.ends()
			if !strings.HasPrefix(c.text(), "HTTP/1.1 429") || !strings.Contains(c.text(), "edge.BODY_TOO_LARGE") || sent > 2<<20 {
				t.Errorf("%s: %d bytes were taken; %s", length, sent, c.text())
			}
		}
		synctest.Wait()
		if n := s.g.intake.Held(); n != 0 {
			t.Errorf("%d bytes are held", n)
		}
	})
}
