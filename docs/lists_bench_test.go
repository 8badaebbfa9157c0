package docs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// populate writes documents of others, of which some people may read some.
func populate(b *testing.B, w *world, documents int, readers map[string]int) {
	b.Helper()
	const batch = 5000
	for from := 0; from < documents; from += batch {
		err := w.db.Write(b.Context(), func(tx *sql.Tx) error {
			insert := func(q string, rows [][]any, columns ...string) error {
				rel := sqldb.NewRelation(w.db.Dialect(), columns...)
				_, err := tx.ExecContext(b.Context(), fmt.Sprintf(q, rel.SQL()), rel.Args(rows)...)
				return err
			}
			var docs, roles [][]any
			for i := from; i < min(from+batch, documents); i++ {
				id := fmt.Sprintf("d%07d", (i*7919)%documents)
				docs = append(docs, []any{id, fmt.Sprintf("title %d of %d", (i*104_729)%documents, i), int64(i)})
				roles = append(roles, []any{id, fmt.Sprint("u", i%1000), int64(owner)})
				for user, n := range readers {
					if i%(documents/n) == 0 {
						roles = append(roles, []any{id, user, int64(viewer)})
					}
				}
			}
			if err := insert(`INSERT INTO docs_document (workspace, id, title, creator, created_ms, changed_ms, trashed, term, node, head)
				SELECT 'w', k.doc, k.title, 'u', 0, k.at, false, 1, '', 1 FROM %s`, docs, "doc text", "title text", "at bigint"); err != nil {
				return err
			}
			if err := insert(`INSERT INTO docs_entry (workspace, document, creator, folder, title, trashed_ms)
				SELECT 'w', k.doc, 'u', '', NULL, 0 FROM %s`, docs, "doc text", "title text", "at bigint"); err != nil {
				return err
			}
			return insert(`INSERT INTO docs_role (workspace, document, user_id, role) SELECT 'w', k.doc, k.usr, k.role FROM %s`, roles, "doc text", "usr text", "role bigint")
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := w.server.mendEntries(b.Context()); err != nil {
		b.Fatal(err)
	}
	if w.db.Dialect() == sqldb.Postgres {
		w.exec(`ANALYZE`)
	}
}

// BenchmarkLists reads pages of lists in a workspace of 100,000 documents, for people who may read few and many of them.
func BenchmarkLists(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		w := newWorld(b, url(b))
		w = w.withoutJobs()
		readers := map[string]int{"ten": 10, "thousand": 1000, "five-thousand": 5000, "half": 50_000}
		populate(b, w, 100_000, readers)
		for user := range readers {
			u := w.person(user)
			for what, q := range map[string]*docsv1.ListDocumentsRequest{
				"changed": {}, "title": {Order: byTitle}, "text": {Title: "title 77"}, "deep": {},
			} {
				b.Run(name+"/"+user+"/"+what, func(b *testing.B) {
					if what == "deep" {
						q.Page = must(u.api.ListDocuments(u.read(), &docsv1.ListDocumentsRequest{Limit: 200}))(b).GetNext()
					}
					var times []time.Duration
					found := 0
					for b.Loop() {
						begin := time.Now()
						r := must(u.api.ListDocuments(u.read(), q))(b)
						times = append(times, time.Since(begin))
						found = len(r.GetDocuments())
					}
					slices.Sort(times)
					b.ReportMetric(float64(found), "documents")
					b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
				})
			}
		}
	}
}

// BenchmarkPurge erases a document of many events while somebody edits another one, and tells how long that takes for each edit, beside what it
// took without.
func BenchmarkPurge(b *testing.B) {
	const events = 1_000_000
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b)).withoutJobs()
			ada := w.person("ada")
			doc, other := ada.create(""), ada.create("")
			fillLog(b, w, doc, events)
			base, version := uint64(1), uint64(0)
			edit := func() time.Duration {
				begin := time.Now()
				version = must(ada.submit(other, base, inserts("x")))(b).GetVersion()
				base = version
				time.Sleep(5 * time.Millisecond)
				return time.Since(begin) - 5*time.Millisecond
			}
			p99 := func(times []time.Duration) float64 {
				slices.Sort(times)
				return float64(times[len(times)*99/100].Microseconds()) / 1000
			}
			var alone, beside []time.Duration
			for range 1000 {
				alone = append(alone, edit())
			}
			w.exec(`UPDATE docs_document SET trashed = true WHERE id = $1`, doc)
			b.ResetTimer()
			err := w.db.Write(b.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(b.Context(), `DELETE FROM docs_document WHERE id = $1`, doc)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			w.exec(`UPDATE docs_topic SET floor = head WHERE topic = $1`, topicDocument+doc)
			w.exec(`INSERT INTO docs_erasure VALUES ('w', $1, $2, 0)`, doc, true)
			var over atomic.Bool
			var wg sync.WaitGroup
			begin := time.Now()
			wg.Go(func() {
				defer over.Store(true)
				for next := time.Now(); !next.IsZero(); {
					var err error
					if next, err = w.server.eraseHidden(context.WithoutCancel(b.Context()), docKey{"w", doc}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			for !over.Load() {
				beside = append(beside, edit())
			}
			wg.Wait()
			b.ReportMetric(time.Since(begin).Seconds(), "s")
			b.ReportMetric(p99(alone), "alone-p99-ms")
			b.ReportMetric(p99(beside), "p99-ms")
		})
	}
}

// fillLog writes events of a document straight into its log.
func fillLog(b *testing.B, w *world, doc string, events int) {
	b.Helper()
	partition := int64(topic.PartitionOf("w", doc))
	w.exec(`UPDATE docs_partition SET position = position + $2 WHERE partition = $1`, partition, int64(events))
	w.exec(`WITH RECURSIVE n(i) AS (SELECT CAST(2 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < $4)
		INSERT INTO docs_log (partition, position, workspace, topic, epoch, "offset", time_ms, mutation, body, envelope, count, calls, user_id, client_id, client_seq, digest, salt, answer)
		SELECT $1, 1000 + n.i, 'w', $2, l.epoch, n.i, l.time_ms, 0, l.body, NULL, 0, 0, 'u', NULL, NULL, l.digest, l.salt, NULL FROM n, docs_log l WHERE l.topic = $3 AND l."offset" = 1`,
		partition, topicDocument+doc, topicDocument+doc, int64(events))
	w.exec(`UPDATE docs_topic SET head = $2 WHERE topic = $1`, topicDocument+doc, int64(events))
}
