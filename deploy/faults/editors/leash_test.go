package editors

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestNothingGoesOutOnceTheNetworkIsCut, by a connection that was open, or a new one.
func TestNothingGoesOutOnceTheNetworkIsCut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	l := newLeash()
	defer l.close()
	c, err := l.dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	var writing sync.WaitGroup
	for range 4 { // until it fails: nobody reads, so that some of them are in the midst of it
		writing.Go(func() {
			for {
				if _, err := c.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
	}
	l.cut()
	if _, err := c.Write([]byte("late")); err == nil {
		t.Error("an open connection takes bytes")
	}
	if _, err := l.dial(t.Context(), "tcp", listener.Addr().String()); err == nil {
		t.Error("there is a new connection")
	}
	writing.Wait()
	got, _ := io.ReadAll(theirs) // it was reset, perhaps
	if n := len(got); n >= 4 && string(got[n-4:]) == "late" {
		t.Error("it was sent")
	}
	l.mend()
	again, err := l.dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheNetworkIsThatOfTheClient(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	l := newLeash()
	defer l.close()
	answer, err := l.client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	l.cut()
	if answer, err := l.client().Get(s.URL); err == nil {
		_ = answer.Body.Close()
		t.Error("it is reached")
	}
	l.mend()
	answer, err = l.client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}
