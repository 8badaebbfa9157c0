package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/client/internal/journal"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func open(t interface {
	Helper()
	Fatal(...any)
}, path string) *Outbox {
	t.Helper()
	o, err := OpenOutbox(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *Outbox) texts() (out []string) {
	for _, p := range o.Pending() {
		out = append(out, string(p.Request()))
	}
	return out
}

// The outbox against a model, over restarts and crashes that cut off the last record.
func TestOutboxProperty(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		path := filepath.Join(dir, strconv.Itoa(runs))
		o := open(r, path)
		defer func() { _ = o.Close() }()
		id, highest := o.ClientID(), uint64(0)
		var model []string            // what waits
		seqs := map[string]uint64{}   // of what waits
		accepted := map[string]bool{} // seen on a topic: gone after a restart
		number := func(seq uint64) {
			if seq <= highest {
				r.Fatalf("number %d after %d", seq, highest)
			}
			highest = seq
		}
		reopen := func() {
			if err := o.Close(); err != nil {
				r.Fatal(err)
			}
			o = open(r, path)
			kept := []string{}
			for _, text := range model {
				if !accepted[text] {
					kept = append(kept, text)
				}
			}
			model = kept
		}
		for i := range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"put", "put", "put", "number", "settle", "accept", "restart", "crash", "compact"}).Draw(r, "do") {
			case "put":
				text := strconv.Itoa(i)
				e, err := o.put("m/M", []byte(text), time.Now())
				if err != nil {
					r.Fatal(err)
				}
				number(e.seq)
				model, seqs[text] = append(model, text), e.seq
			case "number":
				n, err := o.Number()
				if err != nil {
					r.Fatal(err)
				}
				number(n)
			case "settle":
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(r, "which")
					if err := o.settle(seqs[model[i]], nil, nil); err != nil {
						r.Fatal(err)
					}
					model = append(model[:i:i], model[i+1:]...)
				}
			case "accept":
				if len(model) > 0 {
					text := rapid.SampledFrom(model).Draw(r, "which")
					if err := o.accept(Mutation(id, seqs[text])); err != nil {
						r.Fatal(err)
					}
					accepted[text] = true
				}
			case "restart":
				reopen()
			case "crash": // in the middle of writing a record that nobody was told about
				half := journal.Frame(append([]byte{recPut}, make([]byte, 40)...))
				half = half[:rapid.IntRange(1, len(half)-1).Draw(r, "cut")]
				if _, err := o.journal.File.Write(half); err != nil {
					r.Fatal(err)
				}
				reopen()
			case "compact":
				if err := o.journal.Rewrite(o.records()); err != nil {
					r.Fatal(err)
				}
			}
			if got := o.texts(); strings.Join(got, " ") != strings.Join(model, " ") {
				r.Fatalf("%v waits, not %v", got, model)
			}
			if o.ClientID() != id {
				r.Fatal("another client_id")
			}
		}
	})
}

// Every prefix of the file is a state that was, and damage is never taken for one.
func TestOutboxDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	o := open(t, path)
	ends := []int{o.journal.Size}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := o.put("m/M", []byte(text), time.Now()); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, o.journal.Size)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	count := func(data []byte) (int, error) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := OpenOutbox(path)
		if err != nil {
			return 0, err
		}
		defer o.Close()
		return o.Len(), nil
	}
	for n := range len(whole) + 1 {
		want := 0
		for _, end := range ends[1:] {
			if n >= end {
				want++
			}
		}
		if got, err := count(whole[:n]); err != nil || got != want {
			t.Fatalf("cut off at %d: %d entries, not %d; %v", n, got, want, err)
		}
		if n > ends[2] && n < len(whole) { // a file may grow before its data comes
			if got, err := count(append(bytes.Clone(whole[:n]), make([]byte, len(whole)-n)...)); err != nil || got != 2 {
				t.Fatalf("cut off at %d, zeros up to the record's end: %d entries, %v", n, got, err)
			}
		}
	}
	for i := range whole {
		spoiled := bytes.Clone(whole)
		spoiled[i] ^= 0x10
		got, err := count(spoiled)
		switch last := i >= ends[2]; {
		case last && i >= ends[2]+journal.Head && (err != nil || got != 2):
			t.Errorf("byte %d of the last record's content changed: %d entries, %v", i, got, err)
		case (!last || i < ends[2]+journal.Head) && err == nil:
			t.Errorf("byte %d of %d changed, unnoticed: %d entries", i, len(whole), got)
		}
	}
}

func TestOutboxIsUsedByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "outbox")
	o := open(t, path)
	if _, err := OpenOutbox(path); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := o.journal.Rewrite(o.records()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOutbox(path); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice after it was compacted: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.put("m/M", nil, time.Now()); err == nil {
		t.Error("a closed outbox takes entries")
	}
	o = open(t, path)
	defer o.Close()
	if o.ClientID() == "" {
		t.Error("no client_id")
	}
}

// Programs that take turns, while each puts a new file in the place of the old one: none writes into a file that is gone.
func TestOutboxTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	var all sync.WaitGroup
	const programs, turns = 4, 25
	for i := range programs {
		all.Go(func() {
			for turn := 0; turn < turns; {
				o, err := OpenOutbox(path)
				if errors.Is(err, ErrInUse) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				turn++
				if _, err := o.put("m/M", []byte(strconv.Itoa(i)), time.Now()); err != nil {
					t.Error(err)
				}
				if err := o.journal.Rewrite(o.records()); err != nil {
					t.Error(err)
				}
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	o := open(t, path)
	defer o.Close()
	if o.Len() != programs*turns {
		t.Errorf("%d of %d entries are there", o.Len(), programs*turns)
	}
}

func TestOutboxLimits(t *testing.T) {
	o := newMemoryOutbox()
	for range OutboxEntries {
		if _, err := o.put("m/M", nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.put("m/M", nil, time.Now()); CodeOf(err) != edgev1.Code_CODE_TOO_MANY_CALLS {
		t.Errorf("beyond the limit of entries: %v", err)
	}
	o = newMemoryOutbox()
	for range OutboxBytes / maxBody {
		if _, err := o.put("m/M", make([]byte, maxBody), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.put("m/M", make([]byte, 1), time.Now()); CodeOf(err) != edgev1.Code_CODE_TOO_MANY_CALLS {
		t.Errorf("beyond the limit of bytes: %v", err)
	}
}

// A disk that takes nothing: the message is refused, and what waited before is not harmed.
func TestOutboxWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	o := open(t, path)
	if _, err := o.put("m/M", []byte("kept"), time.Now()); err != nil {
		t.Fatal(err)
	}
	file := o.journal.File
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	o.journal.File = readOnly
	if _, err := o.put("m/M", []byte("refused"), time.Now()); err == nil || o.Len() != 1 {
		t.Errorf("%v; %d wait", err, o.Len())
	}
	if err := errors.Join(readOnly.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	defer o.Close()
	if got := o.texts(); len(got) != 1 || got[0] != "kept" {
		t.Errorf("%v waits", got)
	}
}

// A disk that fills up in the middle of a record: it is refused whole, and what follows once there is room is readable.
func TestOutboxDiskFull(t *testing.T) {
	const variable = "PLENUM_TEST_OUTBOX_FULL"
	if path := os.Getenv(variable); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		o := open(t, path)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		full := limit
		full.Cur = uint64(o.journal.Size + 150)
		if _, err := o.put("m/M", []byte("before"), time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			t.Fatal(err)
		}
		if _, err := o.put("m/M", bytes.Repeat([]byte("x"), 1000), time.Now()); err == nil || o.Len() != 1 {
			t.Fatalf("%v; %d wait", err, o.Len())
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		if _, err := o.put("m/M", []byte("after"), time.Now()); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "outbox")
	child := exec.Command(os.Args[0], "-test.run=^TestOutboxDiskFull$")
	child.Env = append(os.Environ(), variable+"="+path)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o := open(t, path)
	defer o.Close()
	if got := strings.Join(o.texts(), " "); got != "before after" {
		t.Errorf("%q waits", got)
	}
}

// The file does not grow with what was sent.
func TestOutboxCompacts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	o := open(t, path)
	body := make([]byte, 512<<10)
	for range 20 {
		e, err := o.put("m/M", body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := o.settle(e.seq, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > compactAfter+1<<20 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	next, err := o.Number()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	defer o.Close()
	if again, err := o.Number(); err != nil || again <= next {
		t.Errorf("number %d after %d, %v", again, next, err)
	}
}

// What Enqueue acknowledged is there after kill -9.
func TestOutboxKilled(t *testing.T) {
	if path := os.Getenv("PLENUM_TEST_OUTBOX"); path != "" {
		o := open(t, path)
		for i := 0; ; i++ {
			e, err := o.put("m/M", []byte(strconv.Itoa(i)), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if i%3 == 2 {
				if err := o.settle(e.seq-1, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stdout.WriteString(strconv.Itoa(i) + "\n"); err != nil {
				return
			}
		}
	}
	path := filepath.Join(t.TempDir(), "outbox")
	child := exec.Command(os.Args[0], "-test.run=^TestOutboxKilled$")
	child.Env = append(os.Environ(), "PLENUM_TEST_OUTBOX="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	told := -1
	for buf, line := make([]byte, 1), ""; told < 300; {
		if _, err := out.Read(buf); err != nil {
			t.Fatal(err)
		}
		if buf[0] != '\n' {
			line += string(buf)
			continue
		}
		if told, err = strconv.Atoi(line); err != nil {
			t.Fatal(err)
		}
		line = ""
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	o := open(t, path)
	defer o.Close()
	got := o.texts()
	want := 0
	for i := 0; i <= told; i++ {
		if i%3 == 1 && i < told {
			continue // settled
		}
		if want >= len(got) || got[want] != strconv.Itoa(i) {
			t.Fatalf("entry %d was acknowledged, and is not there", i)
		}
		want++
	}
}

func FuzzJournal(f *testing.F) {
	o := newMemoryOutbox()
	if _, err := o.put(chatv1.ChatService_Send_FullMethodName, []byte("hello"), time.UnixMilli(1)); err != nil {
		f.Fatal(err)
	}
	var whole []byte
	for _, r := range o.records() {
		whole = append(whole, journal.Frame(r)...)
		f.Add(r, whole)
	}
	f.Add(binary.AppendUvarint([]byte{recDone}, 1), []byte{})
	f.Fuzz(func(t *testing.T, record, file []byte) {
		_ = newMemoryOutbox().apply(record)
		if got, err := journal.Next(journal.Frame(record)); len(record) <= journal.MaxRecord && (err != nil || !bytes.Equal(got, record)) {
			t.Fatalf("%x read back as %x, %v", record, got, err)
		}
		for {
			r, err := journal.Next(file)
			if err != nil {
				return
			}
			file = file[journal.Head+len(r):]
		}
	})
}
