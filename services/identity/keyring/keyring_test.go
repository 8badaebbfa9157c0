package keyring_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"plenum.internal/services/identity/keyring"
)

func key(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keyring.KeyBytes))
}

func ring(t *testing.T, keys ...string) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpenAfterTheKeyChanged(t *testing.T) {
	before, after, without := ring(t, key(1)), ring(t, key(2), key(1)), ring(t, key(2))
	sealed, err := before.Seal("p", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := after.Open("p", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("with the old key in the ring: %q, %v", plain, err)
	}
	if _, err := without.Open("p", sealed); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("without the old key: %v", err)
	}
	if _, err := after.Open("another purpose", sealed); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("for another purpose: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := after.Open("p", sealed); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("tampered with: %v", err)
	}
}

func TestDerive(t *testing.T) {
	r := ring(t, key(1))
	if !bytes.Equal(r.Derive("p", "a", "b"), r.Derive("p", "a", "b")) {
		t.Error("not the same twice")
	}
	for _, other := range [][]byte{r.Derive("p", "ab", ""), r.Derive("p", "a", "b", ""), r.Derive("q", "a", "b"), ring(t, key(2)).Derive("p", "a", "b")} {
		if bytes.Equal(r.Derive("p", "a", "b"), other) {
			t.Error("different parts, the same bytes")
		}
	}
	old := r.Derive("p", "a")
	if _, ok := ring(t, key(2), key(1)).Matches(func(b []byte) bool { return bytes.Equal(b, old) }, "p", "a"); !ok {
		t.Error("what an old key of the ring derived was not found")
	}
}

func TestFileIsMadeOnceAndKeptPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var (
		wg    sync.WaitGroup
		rings [8]*keyring.Ring
	)
	for i := range rings {
		wg.Go(func() {
			r, err := keyring.Load(path)
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, r := range rings {
		if !bytes.Equal(r.Derive("p"), rings[0].Derive("p")) {
			t.Error("two processes that start together got two keys")
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may read: %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	for _, keys := range [][]string{nil, {""}, {"c2hvcnQ="}, {"not base64 at all!"}, {key(1), key(2), key(3), key(4), key(5)}} {
		if _, err := keyring.New(keys...); err == nil {
			t.Errorf("%q: no error", keys)
		}
	}
}
