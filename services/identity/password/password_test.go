package password

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func cheap(t *testing.T) *Hasher {
	t.Helper()
	h, err := New(Config{MemoryKiB: 64, Passes: 1, Threads: 1, Concurrency: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// verify takes a place and compares.
func verify(t *testing.T, h *Hasher, stored, password string) (ok, stale bool, err error) {
	t.Helper()
	place, err := h.Enter("")
	if err != nil {
		return false, false, err
	}
	defer place.Leave()
	return place.Verify(t.Context(), stored, password)
}

func TestHashAndVerify(t *testing.T) {
	h := cheap(t)
	stored, err := h.Hash(t.Context(), "", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false, strings.Repeat("x", 300): false, "\x00": false} {
		if ok, _, err := verify(t, h, stored, password); ok != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", password, ok, err, want)
		}
	}
	if ok, _, err := verify(t, h, "", "correct horse"); ok || err != nil {
		t.Errorf("an absent account: %v, %v", ok, err)
	}
}

func TestTheSameCharactersAreTheSamePassword(t *testing.T) {
	h := cheap(t)
	stored, err := h.Hash(t.Context(), "", "pass\u0065\u0301-word-1") // e and a combining acute accent
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, _ := verify(t, h, stored, "pass\u00e9-word-1"); !ok {
		t.Error("the composed form was refused")
	}
}

func TestForm(t *testing.T) {
	h := cheap(t)
	for _, password := range []string{"", "short", "ninechars", strings.Repeat("x", 257), "bell\atolls often", "bad\xffutf8 bytes"} {
		if _, err := h.Hash(t.Context(), "", password); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v, want ErrForm", password, err)
		}
	}
}

func TestAnotherCostIsStale(t *testing.T) {
	old, err := cheap(t).Hash(t.Context(), "", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{MemoryKiB: 128, Passes: 1, Threads: 1, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	if ok, stale, err := verify(t, h, old, "correct horse"); !ok || !stale || err != nil {
		t.Errorf("ok %v, stale %v, %v", ok, stale, err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := cheap(t)
		first, err := h.Enter("")
		if err != nil {
			t.Fatal(err)
		}
		h.running <- struct{}{} // its hash is under way, and takes its time
		waited := make(chan error, 1)
		go func() {
			_, err := h.Hash(t.Context(), "", "correct horse")
			waited <- err
		}()
		synctest.Wait()
		if n := h.Waiting(); n != 1 {
			t.Errorf("%d wait", n)
		}
		_, _, err = verify(t, h, "", "correct horse")
		if busy, ok := errors.AsType[*BusyError](err); !ok || busy.RetryAfter < time.Second {
			t.Errorf("a third caller: %v, want BusyError", err)
		}
		<-h.running
		if err := <-waited; err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		h.running <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.Hash(ctx, "", "correct horse"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that waits too long: %v", err)
		}
		first.Leave()
		first.Leave()
		if n := h.inside.length(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parse(s)
		if err == nil && x.String() != s {
			t.Errorf("%q came back as %q", s, x.String())
		}
	})
}
