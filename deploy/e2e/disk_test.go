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

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// TestDiskFull: while there is no room, sends are refused with a code that says "later", and reads go on; when there is room
// again, all works without a restart.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Logf("only who may mount can run out of a small disk: %v", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := oneBinaryAt(t, filepath.Join(disk, "data"))
	s.owner = s.setUp(t)
	people := []*person{s.member(t), s.member(t), s.member(t)}
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, people...)
	reading := people[0].read(t, channel)
	var l ledger
	l.note("before", people[0].send(t, channel, "before"))

	full := filepath.Join(disk, "full")
	fill(t, full)
	refused := false
	for i := 0; !refused && i < 5000; i++ {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 15<<10))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		answer, err := people[i%len(people)].chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: text})
		cancel()
		switch c := code(err); {
		case err == nil:
			l.note(text, answer.GetOffset())
		case c >= 200 && c < 300:
			refused = true
			t.Logf("message %d: %v", i, err)
		default:
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if !refused {
		t.Fatal("the disk is full, and nothing is refused")
	}
	for range 5 {
		if _, err := people[1].chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel}); err != nil {
			t.Errorf("a read while the disk is full: %v", err)
		}
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message can be sent again", func(ctx context.Context) error {
		answer, err := s.owner.chat.Send(ctx, &chatv1.SendRequest{Channel: channel, Text: "after"})
		if err == nil {
			l.note("after", answer.GetOffset())
		}
		return err
	})
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
