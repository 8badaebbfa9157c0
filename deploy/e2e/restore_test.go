package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/clustertest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// TestRestore: a backup is made while people write. After it was put back, everything up to it stands and nothing after it; whoever
// had seen more is told so, and misses nothing of what comes then.
func TestRestore(t *testing.T) {
	data, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "monday")
	s := oneBinaryAt(t, data)
	s.owner = s.setUp(t)
	writer, watcher := s.member(t), s.member(t)
	channel := s.channel(t, private, writer, watcher)
	begun, err := watcher.Chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := watcher.Client.Follow(within(t, patience), "chat.channel/"+channel, client.From(begun.GetCursor()))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for i := range 5 {
		writer.send(t, channel, fmt.Sprint("before ", i))
	}
	var during ledger
	stop := during.load(t, channel, 30*time.Millisecond, writer)
	plenum(t, 1, "backup FOLDER", "backup", "--data", data)
	plenum(t, 0, "holds the databases", "backup", backup, "--data", data)
	stop()
	lost := writer.send(t, channel, "after the backup")
	seen := upTo(t, sub, lost)

	plenum(t, 1, "in use by another Plenum", "restored", "--data", data)
	s.halt[0].do(t)
	if err := os.Rename(data, data+".lost"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(data, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, "identity.key"), 0o600); err != nil { // cp -a would keep it so
		t.Fatal(err)
	}
	plenum(t, 1, "is a backup", "--data", data, "--addr", freeAddress(t))
	plenum(t, 0, "goes on in epoch", "restored", "--data", data)
	s.halt[0].undo(t)

	stands, err := watcher.Chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got := stands.GetCursor(); got.GetOffset() >= lost {
		t.Fatalf("the backup ends at %v, and what came after it at %d", got, lost)
	}
	for _, m := range stands.GetMessages() {
		if was := seen[m.GetOffset()]; m.GetSystem() == nil && was != m.GetText() {
			t.Errorf("%d was %q, and is %q", m.GetOffset(), was, m.GetText())
		}
	}
	for i := range 5 {
		text := fmt.Sprint("before ", i)
		if !slices.ContainsFunc(stands.GetMessages(), func(m *chatv1.Message) bool { return m.GetText() == text }) {
			t.Errorf("%q, which stood before the backup, is gone", text)
		}
	}

	// The numbers that were lost are used again, and nobody takes the new for the old.
	anew := writer.send(t, channel, "a new life")
	reset := false
	for ctx := within(t, patience); ; {
		u, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("reset %v: %v", reset, err)
		}
		if u.Reset != nil {
			if u.Reset.Cause.Code != edgev1.Code_CODE_RESET_EPOCH {
				t.Errorf("told to read anew because of %v", u.Reset.Cause)
			}
			reset = true
			if err := sub.Resume(ctx, stands.GetCursor()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if len(u.Events) == 0 {
			continue
		}
		if first := u.Events[0]; !reset || first.GetOffset() != anew || textOf(t, first) != "a new life" {
			t.Errorf("reset %v, then %v, want %d", reset, first, anew)
		}
		break
	}
}

// upTo takes events until an offset was seen, and returns the texts of messages by their offsets.
func upTo(t *testing.T, sub *client.Subscription, offset uint64) map[uint64]string {
	t.Helper()
	texts := map[uint64]string{}
	for ctx := within(t, patience); ; {
		u, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range u.Events {
			texts[e.GetOffset()] = textOf(t, e)
			if e.GetOffset() == offset {
				return texts
			}
		}
	}
}

func textOf(t *testing.T, e *edgev1.Event) string {
	t.Helper()
	var event chatv1.ChannelEvent
	if err := proto.Unmarshal(e.GetBody(), &event); err != nil {
		t.Fatal(err)
	}
	return event.GetPosted().GetText()
}

// plenum runs one of the program's commands, and looks for what it must say.
func plenum(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	bin, err := clustertest.Programs()
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	a := finish(t, d.command("", filepath.Join(bin, "plenum"), args...))
	if a.code != code || !strings.Contains(a.out+a.problems, says) {
		t.Fatalf("plenum %v: exit code %d, %q, %q; want %d and %q", args, a.code, a.out, a.problems, code, says)
	}
}

// TestOperator: whoever runs the program does from behind it what nobody inside can.
func TestOperator(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := oneBinaryAt(t, data)
	s.owner = s.setUp(t)
	d := newDesk(t)
	operator := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(d.ok(t, "", append([]string{"operator", "--data", data, "--server", s.server}, args...)...))
	}
	if got := operator("workspaces"); !strings.HasPrefix(got, "acme ") {
		t.Errorf("workspaces: %q", got)
	}
	link := operator("setup")
	d.ok(t, "another one's password\n", "--profile", "eve", "setup", link, "--workspace", "other", "--handle", "eve", "--password-stdin")
	if got := operator("audit", "list"); !strings.Contains(got, "setup.issued") {
		t.Errorf("the installation's audit log: %q", got)
	}
	reset := operator("reset-owner", "acme", s.owner.Handle)
	if a := d.run(t, "a new password\n", "reset", reset, "--password-stdin"); a.code != 0 {
		t.Errorf("the sole owner's reset: %+v", a)
	}
	if got := operator("audit", "list", "acme"); !strings.Contains(got, "password.reset_issued") || !strings.Contains(got, "@"+s.owner.Handle) {
		t.Errorf("the workspace's audit log: %q", got)
	}
	for _, verified := range []string{operator("verify"), operator("verify", "acme")} {
		if !strings.HasPrefix(verified, "intact: ") {
			t.Errorf("verify: %q", verified)
		}
	}
	operator("keys", "rotate", "--distrust")
	eventually(t, "a token of the new keys is good", func(context.Context) error {
		if a := d.run(t, "", "whoami"); a.code != 0 {
			return fmt.Errorf("%+v", a)
		}
		return nil
	})
	s.halt[0].do(t)
	if a := d.run(t, "", "operator", "--data", data, "workspaces"); a.code != 1 || !strings.Contains(a.problems, "no Plenum runs on") {
		t.Errorf("with nothing running: %+v", a)
	}
	s.halt[0].undo(t)
}
