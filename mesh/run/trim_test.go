package run

import (
	"runtime"
	"testing"
)

func TestWhoIsTrimmed(t *testing.T) {
	const mb = 1 << 20
	for name, x := range map[string]struct {
		before, now heap
		want        bool
	}{
		"quiet, and twice as much as lives":  {heap{allocated: 500 * mb}, heap{501 * mb, 100 * mb, 200 * mb}, true},
		"quiet, and trimmed":                 {heap{allocated: 500 * mb}, heap{501 * mb, 100 * mb, 105 * mb}, false},
		"busy":                               {heap{allocated: 500 * mb}, heap{520 * mb, 100 * mb, 200 * mb}, false},
		"small, and not worth a collection":  {heap{allocated: 5 * mb}, heap{5 * mb, 3 * mb, 6 * mb}, false},
		"small, but keeps a burst's garbage": {heap{allocated: 50 * mb}, heap{50 * mb, 3 * mb, 30 * mb}, true},
	} {
		if got := x.now.wasteful(x.before); got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReadHeap(t *testing.T) {
	before := readHeap()
	kept := make([]byte, 32<<20)
	runtime.GC()
	now := readHeap()
	if now.allocated < before.allocated+32<<20 || now.live < 32<<20 || now.held < now.live {
		t.Errorf("%+v, before %+v", now, before)
	}
	runtime.KeepAlive(kept)
}
