package ws

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// pair is a client of another make, and our side of its connection.
func pair(t *testing.T) (*websocket.Conn, *Conn) {
	t.Helper()
	taken := make(chan *Conn, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, early, protocol, err := Upgrade(w, r, "test")
		if err != nil || protocol != "test" {
			t.Error(protocol, err)
			return
		}
		c := &Conn{}
		c.Begin(conn, early)
		taken <- c
	}))
	t.Cleanup(server.Close)
	client, _, err := websocket.Dial(t.Context(), server.URL, &websocket.DialOptions{Subprotocols: []string{"test"}}) //nolint:bodyclose // the library has
	if err != nil {
		t.Fatal(err)
	}
	client.SetReadLimit(-1)
	ours := <-taken
	t.Cleanup(func() { _ = client.CloseNow(); ours.Kill() })
	return client, ours
}

func (c *Conn) message() (Kind, []byte, error) {
	c.Await()
	kind, err := c.Next()
	if err != nil {
		return 0, nil, err
	}
	data, err := io.ReadAll(c)
	return kind, data, err
}

// Messages of every form of length pass both ways, in one frame and in many.
func TestMessages(t *testing.T) {
	client, ours := pair(t)
	for _, size := range []int{0, 1, 7, 125, 126, 511, 512, 513, 65535, 65536, 300_000} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7)
		}
		go func() {
			if err := client.Write(t.Context(), websocket.MessageBinary, data); err != nil {
				t.Error(err)
			}
			w, err := client.Writer(t.Context(), websocket.MessageText)
			for rest := data; err == nil && len(rest) > 0; rest = rest[min(len(rest), 1000):] {
				_, err = w.Write(rest[:min(len(rest), 1000)])
			}
			if err = errors.Join(err, w.Close()); err != nil {
				t.Error(err)
			}
		}()
		for _, want := range []Kind{Binary, Text} {
			if kind, got, err := ours.message(); err != nil || kind != want || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes: %d of kind %d, %v", size, len(got), kind, err)
			}
		}
		if ours.in != nil {
			t.Errorf("%d bytes: a buffer is kept for nothing", size)
		}
		go func() {
			if err := ours.Write(Text, data, time.Second); err != nil {
				t.Error(err)
			}
		}()
		if kind, got, err := client.Read(t.Context()); err != nil || kind != websocket.MessageText || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: the client got %d of kind %v, %v", size, len(got), kind, err)
		}
	}
}

// Pings are answered while messages are read, and a client's close is answered with its own code.
func TestControlFrames(t *testing.T) {
	client, ours := pair(t)
	done := make(chan error, 1)
	go func() {
		for {
			if _, _, err := ours.message(); err != nil {
				ours.Discard()
				ours.Kill()
				done <- err
				return
			}
		}
	}()
	reading := client.CloseRead(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		t.Error(err)
	}
	if err := client.Close(4321, "enough"); err != nil {
		t.Errorf("the answer: %v", err)
	}
	<-reading.Done()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := ours.Write(Binary, nil, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write behind the close: %v", err)
	}
}

// Who is told of a close while it still writes comes to read it, and Close is done when the client has answered.
func TestClose(t *testing.T) {
	client, ours := pair(t)
	go func() {
		for client.Write(t.Context(), websocket.MessageBinary, make([]byte, 100_000)) == nil {
		}
	}()
	if _, err := ours.Next(); err != nil {
		t.Fatal(err)
	}
	go ours.Discard()
	begin := time.Now()
	go ours.Close(4100, strings.Repeat("long ", 100))
	if _, _, err := client.Read(t.Context()); websocket.CloseStatus(err) != 4100 {
		t.Error(err)
	}
	ours.Close(4100, "")
	if d := time.Since(begin); d > closeTime/2 {
		t.Errorf("it took %v", d)
	}
}

// A client that answers no close is left after 5 s, and one that takes nothing ends a write when its time is over.
func TestDeafClient(t *testing.T) {
	theirs, conn := net.Pipe()
	defer theirs.Close()
	c := &Conn{}
	c.Begin(conn, nil)
	if err := c.Write(Binary, nil, 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := c.Write(Binary, nil, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("behind a frame that was sent in part: %v", err)
	}
}

// frame is a client's, with a key of its own.
func frame(first byte, body string) []byte {
	b := []byte{first}
	switch n := len(body); {
	case n < length16:
		b = append(b, maskBit|byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|length16), uint16(n))
	}
	b = append(b, 1, 2, 3, 4)
	at := len(b)
	b = append(b, body...)
	unmask(b[at:], 0x04030201)
	return b
}

// script is a connection that has said all it will say.
type script struct {
	net.Conn
	io.Reader
	said bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)     { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error)    { return s.said.Write(p) }
func (*script) Close() error                     { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// hear reads all that a client says, part of which was read before the connection was taken over.
func hear(input []byte, early int) (messages []string, said []byte, err error) {
	s := &script{Reader: bytes.NewReader(input[early:])}
	c := &Conn{}
	c.Begin(s, input[:early])
	for {
		kind, data, err := c.message()
		if err != nil {
			return messages, s.said.Bytes(), err
		}
		messages = append(messages, string(append([]byte{'0' + byte(kind)}, data...)))
	}
}

// What breaks the protocol is told with 1002, behind all that came before.
func TestBrokenProtocol(t *testing.T) {
	for name, x := range map[string][]byte{
		"a reserved bit":             frame(0xc2, "x"),
		"not masked":                 {0x82, 1, 'x'},
		"an unknown kind":            frame(0x83, "x"),
		"an unknown control frame":   frame(0x8b, "x"),
		"a ping in parts":            frame(0x09, "x"),
		"a long ping":                frame(0x89, strings.Repeat("x", 126)),
		"a continuation of nothing":  frame(0x80, "x"),
		"a message within a message": append(frame(0x02, "x"), frame(0x82, "y")...),
		"longer than can be":         append([]byte{0x82, 0xff}, bytes.Repeat([]byte{0xff}, 12)...),
		"half a close code":          frame(0x88, "x"),
		"a close code that can't be": frame(0x88, "\x03\xed"),
		"a reason that is no text":   frame(0x88, "\x03\xe8\xff"),
	} {
		got, said, err := hear(append(frame(0x82, "before"), x...), 0)
		if len(got) != 1 || err == nil || len(said) < 4 || said[0] != 0x88 || binary.BigEndian.Uint16(said[2:]) != codeProtocol {
			t.Errorf("%s: %q, %v, answered %x", name, got, err, said)
		}
	}
}

// FuzzAgainstAnother reads what two implementations of the protocol, independent of each other, have to read as the same.
func FuzzAgainstAnother(f *testing.F) {
	f.Add(append(frame(0x82, "one"), frame(0x81, "two")...), 3)
	f.Add(append(append(frame(0x02, "in "), frame(0x89, "ping")...), frame(0x80, "parts")...), 0)
	f.Add(append(frame(0x82, strings.Repeat("long", 200)), frame(0x88, "\x0f\xa0bye")...), 700)
	f.Add([]byte{0x82, 1, 'x'}, 1)
	f.Fuzz(func(t *testing.T, input []byte, early int) {
		early = min(max(early, 0), len(input), 4096)
		got, _, err := hear(input, early)
		if errors.Is(err, ErrFrames) {
			t.Skip("a bound of ours")
		}
		want := theirs(t, input)
		if errors.Is(err, io.ErrUnexpectedEOF) && len(want) == len(got)+1 {
			want = want[:len(got)] // it takes a message that breaks off between two reads as whole
		}
		if err == nil || len(got) != len(want) {
			t.Fatalf("%q and %q, %v", got, want, err)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("message %d: %q and %q", i, got[i], want[i])
			}
		}
	})
}

// taking is a ResponseWriter whose connection can be taken.
type taking struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w *taking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// theirs reads the same with github.com/coder/websocket.
func theirs(t *testing.T, input []byte) (messages []string) {
	w := &taking{ResponseRecorder: httptest.NewRecorder(), conn: &script{Reader: bytes.NewReader(input)}}
	c, err := websocket.Accept(w, handshake(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1)
	for {
		kind, data, err := c.Read(t.Context())
		if err != nil {
			return messages
		}
		messages = append(messages, string(append([]byte{'0' + byte(kind)}, data...)))
	}
}
