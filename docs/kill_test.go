package docs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/sqldb"
)

// childURL is the environment of a child: its database.
const childURL = "PLENUM_DOCS_TEST_URL"

// child is a process of the service that does nothing but its jobs, until it is killed.
func child(url string) error {
	db, err := sqldb.Open(context.Background(), sqldb.Config{URL: url})
	if err != nil {
		return err
	}
	s, err := New(DefaultConfig(), Deps{DB: db})
	if err != nil {
		return err
	}
	return s.Run(context.Background())
}

// A process that erases what was purged is killed again and again: the next one goes on where it was, and in the end nothing is left.
func TestKilledWhileErasing(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs(func(c *Config) { c.UnderWay = 4096 })
		ada, bob := w.person("ada"), w.person("bob")
		doc := full(ada, bob)
		content, version := ada.content(doc, 0)
		empty := must(ada.submit(doc, version, fmt.Sprintf(`{"ops":[{"delete":%d}]}`, content.Len())))(t).GetVersion()
		ada.writeTrace(doc, empty, ottest.Write(1, 12_000).Changes)
		ada.trash(doc)
		purged := must(ada.purge(doc))(t).GetVersion()
		done := func() (upto uint64, over bool) {
			err := w.db.QueryRow(t.Context(), `SELECT coalesce(max(done), 0), count(*) = 0 FROM docs_erasure WHERE document = $1`, doc).Scan(&upto, &over)
			if err != nil {
				t.Fatal(err)
			}
			return upto, over
		}
		var places []uint64
		for at := uint64(0); ; {
			cmd := exec.Command(os.Args[0])
			cmd.Env, cmd.Stderr = append(os.Environ(), childURL+"="+w.url), os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			hang := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			upto, over := done()
			for ; upto < at+2500 && !over; upto, over = done() {
				time.Sleep(time.Millisecond)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if !hang.Stop() {
				t.Fatal("it does not go on")
			}
			if over {
				break
			}
			if upto, _ = done(); upto < at || len(w.bodies(doc)) > int(purged-upto) {
				t.Errorf("done up to %d after %d, and %d of %d have something in them", upto, at, len(w.bodies(doc)), purged)
			}
			places, at = append(places, upto), upto
		}
		if len(places) < 2 {
			t.Errorf("killed at %v: it was never in the middle", places)
		}
		if left, got := slices.DeleteFunc(w.rows(doc), isJob), w.bodies(doc); len(left) > 0 || !slices.Equal(got, []uint64{purged}) {
			t.Errorf("killed at %v, there is left: %v, %v", places, left, got)
		}
	})
}

// isJob: what was to be done may not be known to be done.
func isJob(row string) bool { return strings.HasPrefix(row, "docs_job") }
