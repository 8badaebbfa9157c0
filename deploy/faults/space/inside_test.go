package space_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenum.internal/deploy/faults/space"
)

func TestInsideIsApart(t *testing.T) {
	needsRoot(t)
	if pid := os.Getpid(); pid != 1 {
		t.Errorf("this is process %d, want 1", pid)
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		t.Errorf("/proc/self is %q, %v", self, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), " shared:") {
		t.Errorf("mounts are seen outside: %v\n%s", err, mounts)
	}
	links, err := net.Interfaces()
	if err != nil || len(links) != 1 || links[0].Flags&net.FlagLoopback == 0 || links[0].Flags&net.FlagUp == 0 {
		t.Errorf("its network is %v, %v", links, err)
	}
}

// enter starts the test program in some role with Enter, and returns what it prints and how Enter ended.
func enter(ctx context.Context, t *testing.T, as string) (out *os.File, ended func() (int, error)) {
	t.Helper()
	needsRoot(t)
	t.Setenv(role, as)
	out, theirs := pipe(t)
	if err := out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = theirs
	t.Cleanup(func() { os.Stdout = stdout })
	type end struct {
		code int
		err  error
	}
	ends := make(chan end, 1)
	go func() {
		code, err := space.Enter(ctx)
		_ = theirs.Close()
		ends <- end{code, err}
	}()
	return out, func() (int, error) {
		e := <-ends
		return e.code, e.err
	}
}

func TestWhatIsLeftInsideEndsWithIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, ended := enter(ctx, t, "parent")
	if code, err := ended(); code != exitCode || err != nil {
		t.Errorf("it ends with %d, %v, want %d", code, err, exitCode)
	}
	if _, err := io.ReadAll(out); err != nil { // the end comes when nobody has the other end open
		t.Errorf("the process that it left lives on: %v", err)
	}
}

func TestWhoIsInsideMayEndInOrder(t *testing.T) {
	for as, want := range map[string]int{"waiter": 0, "failing waiter": exitCode} {
		t.Run(as, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out, ended := enter(ctx, t, as)
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
				t.Fatalf("it says %q, %v", line, err)
			}
			cancel()
			if code, err := ended(); code != want || err != nil {
				t.Errorf("it ends with %d, %v, want %d", code, err, want)
			}
		})
	}
}
