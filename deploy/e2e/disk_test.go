package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/check"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// outOfRoom is how long the disk stays full: longer than leases live and digests may be silent.
const outOfRoom = 20 * time.Second

// TestDiskFull: while there is no room for anything in the data folder, sends are refused with a code that says "later", and reads
// go on; when there is room again, all works without a restart.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("only who may mount can run out of a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := oneBinaryAt(t, filepath.Join(disk, "data"))
	s.owner = s.setUp(t)
	people := []*person{s.member(t), s.member(t), s.member(t)}
	channel := s.channel(t, private, people...)
	reading := people[0].read(t, channel)
	var l ledger
	l.note("before", people[0].send(t, channel, "before"))

	full := filepath.Join(disk, "full")
	fill(t, full)
	refused := 0
	for i, begun := 0, time.Now(); time.Since(begun) < outOfRoom; i++ {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 15<<10))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		answer, err := people[i%len(people)].Chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: text})
		cancel()
		switch c := check.Code(err); {
		case c >= 200 && c < 300:
			refused++
			if _, err := people[1].Chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel}); err != nil {
				t.Errorf("a read while the disk is full: %v", err)
			}
			time.Sleep(250 * time.Millisecond)
		case err == nil: // into what the databases had reserved
			l.note(text, answer.GetOffset())
		default:
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if refused < 5 {
		t.Fatalf("the disk is full, and %d messages are refused", refused)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message can be sent again", func(ctx context.Context) error {
		answer, err := s.owner.Chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: "after"})
		if err == nil {
			l.note("after", answer.GetOffset())
		}
		return err
	})
	s.member(t) // identity writes, too
	l.check(t, channel, s.owner, reading)
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2] // to the last byte
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
