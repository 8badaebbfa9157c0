package topic_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	. "plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// The child's environment: its database, and the number from which each sender goes on.
const (
	childURL  = "PLENUM_TOPIC_TEST_URL"
	childFrom = "PLENUM_TOPIC_TEST_FROM"
)

const (
	senders = 8
	echoes  = "book.echo/"
)

// ack is one line of what the child reports.
type ack struct {
	Sender, Seq int
	Page        string
	Offset      uint64
}

// service is a log with its follower, which keeps every event in book_seen and echoes those of pages into another topic.
type service struct {
	bus      *recorder
	log      *Log
	follower *Follower
	stop     func()
}

func startService(db, derived *sqldb.DB) (*service, error) {
	cfg := DefaultConfig("book")
	cfg.Schema, cfg.Poll = bookSchema, 20*time.Millisecond
	bus := &recorder{}
	l, err := NewLog(cfg, Deps{DB: db, Bus: bus, Planner: &book{dialect: db.Dialect()}})
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{Service: "book", Internal: map[string][]string{
		topicv1.TopicService_Follow_FullMethodName: {"book"},
	}})
	if err != nil {
		return nil, err
	}
	topicv1.RegisterTopicServiceServer(server, NewServer(l, nil))
	f, err := NewFollower(FollowerConfig{Name: "seen", Service: "book", Prefix: "book"}, FollowerDeps{
		Source: topicv1.NewTopicServiceClient(server.Pipe("book")), DB: derived,
		Handle: func(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
			return seen(ctx, tx, l, records)
		},
		Reset: func(ctx context.Context, tx *sql.Tx, partition uint32) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM book_seen WHERE partition = $1", int64(partition))
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{l.Run, server.Run, f.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				_, _ = fmt.Fprintln(os.Stderr, "component:", err)
			}
		})
	}
	<-l.Ready()
	return &service{bus, l, f, func() { cancel(); wg.Wait() }}, nil
}

func seen(ctx context.Context, tx *sql.Tx, l *Log, records []*topicv1.Record) error {
	var echo []Append
	for _, r := range records {
		number := PartitionOf(r.GetWorkspace(), ID(r.GetTopic()))
		_, err := tx.ExecContext(ctx, "INSERT INTO book_seen (follower, partition, position, topic, at, body) VALUES ('seen', $1, $2, $3, $4, $5)",
			int64(number), int64(r.GetPosition()), r.GetTopic(), int64(r.GetEvent().GetOffset()), r.GetEvent().GetBody())
		if err != nil {
			return err
		}
		if page, ok := strings.CutPrefix(r.GetTopic(), pages); ok {
			echo = append(echo, Append{Workspace: r.GetWorkspace(), Route: "of-" + page, User: "echo", Entries: []Entry{
				{Topic: echoes + "of-" + page, Body: fmt.Append(nil, r.GetEvent().GetOffset())},
			}})
		}
	}
	if len(echo) == 0 {
		return nil
	}
	return l.Append(ctx, tx, echo)
}

// child sends until it is killed, and prints what was acknowledged.
func child(url string) error {
	var from [senders]int
	if err := json.Unmarshal([]byte(os.Getenv(childFrom)), &from); err != nil {
		return err
	}
	db, err := sqldb.Open(context.Background(), sqldb.Config{URL: url})
	if err != nil {
		return err
	}
	s, err := startService(db, db)
	if err != nil {
		return err
	}
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex // one line at a time
		out = json.NewEncoder(os.Stdout)
	)
	for i := range senders {
		wg.Go(func() {
			for seq := from[i]; ; seq++ {
				page := fmt.Sprint("p", (i+seq)%4)
				offsets, err := send(s.log, page, Key{fmt.Sprint("u", i), "crash", uint64(seq)}, fmt.Sprintf("%d/%d", i, seq))
				if err != nil {
					_, _ = fmt.Fprintln(os.Stderr, "send:", err)
					os.Exit(1)
				}
				mu.Lock()
				_ = out.Encode(ack{i, seq, page, offsets[0]})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// TestKill: a process that writes and follows is killed again and again. What it acknowledged is there, once, and what its follower
// derived was derived once.
func TestKill(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		var (
			from [senders]int
			acks []ack
		)
		for i := range from {
			from[i] = 1
		}
		for round := range 5 {
			got := runChild(t, url, from, 30+40*round)
			for _, a := range got {
				from[a.Sender] = a.Seq + 1
			}
			acks = append(acks, got...)
		}
		s, err := startService(db, db)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.stop)
		all := settled(t, db, s.log)
		texts := map[string]string{}
		echoed := map[string]bool{}
		for _, r := range all {
			body, place := string(r.GetEvent().GetBody()), fmt.Sprintf("%s:%d", r.GetTopic(), r.GetEvent().GetOffset())
			if page, ok := strings.CutPrefix(r.GetTopic(), echoes+"of-"); ok {
				if echoed[page+":"+body] {
					t.Errorf("%s:%s was echoed twice", page, body)
				}
				echoed[page+":"+body] = true
				continue
			}
			if texts[body] != "" {
				t.Errorf("%s stands at %s and %s", body, texts[body], place)
			}
			texts[body] = place
		}
		for _, a := range acks {
			if got, want := texts[fmt.Sprintf("%d/%d", a.Sender, a.Seq)], fmt.Sprintf("%s%s:%d", pages, a.Page, a.Offset); got != want {
				t.Errorf("%d/%d was acknowledged at %s and stands at %q", a.Sender, a.Seq, want, got)
			}
		}
		if len(echoed) != len(texts) {
			t.Errorf("%d echoes of %d events", len(echoed), len(texts))
		}
		t.Logf("%d acknowledged, %d rows", len(acks), len(all))
	})
}

// settled waits until the follower has echoed and seen everything, checks that it saw each row once, and returns the log.
func settled(t *testing.T, db *sqldb.DB, l *Log) []*topicv1.Record {
	t.Helper()
	count := func(q string) (n int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), q).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	missing := "SELECT count(*) FROM book_log l LEFT JOIN book_seen s ON s.partition = l.partition AND s.position = l.position WHERE s.at IS NULL"
	for begun, quiet := time.Now(), 0; quiet < 5; time.Sleep(20 * time.Millisecond) { // an echo comes after its event was seen
		if quiet++; count(missing) > 0 {
			quiet = 0
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the follower misses %d rows", count(missing))
		}
	}
	if twice := count("SELECT count(*) FROM (SELECT 1 FROM book_seen GROUP BY partition, position HAVING count(*) > 1) x"); twice > 0 {
		t.Errorf("the follower applied %d rows more than once", twice)
	}
	return topictest.Check(t, l)
}

// runChild starts the child, kills it in the middle of what follows its n-th acknowledgement, and returns all acknowledgements.
func runChild(t *testing.T, url string, from [senders]int, n int) []ack {
	t.Helper()
	start, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url, childFrom+"="+string(start))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hang := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer hang.Stop()
	var acks []ack
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a ack
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			break // cut off in mid-line: not acknowledged
		}
		if acks = append(acks, a); len(acks) == n {
			time.Sleep(rand.N(10 * time.Millisecond))
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(acks) < n {
		t.Fatalf("the child ended after %d of %d acknowledgements", len(acks), n)
	}
	return acks
}
