package sqldb_test

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

const benchText = "a row of a usual length, about a line of text"

// BenchmarkGroupCommit measures durable rows a second: 512 callers, each waiting for its own row's COMMIT.
func BenchmarkGroupCommit(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			db, err := sqldb.Open(b.Context(), sqldb.Config{URL: url(b)})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(b.Context(), tables); err != nil {
				b.Fatal(err)
			}
			var batches, rows atomic.Int64
			batcher := sqldb.NewBatcher(sqldb.BatcherConfig{}, func(ctx context.Context, batch []int64) error {
				batches.Add(1)
				return db.Write(ctx, func(tx *sql.Tx) error { return insertMany(ctx, tx, db.Dialect(), batch) })
			})
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = batcher.Run(ctx) })
			b.SetParallelism(256)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := batcher.Submit(ctx, rows.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.N)/float64(batches.Load()), "rows/commit")
			cancel()
			wg.Wait()
			var n int
			if err := db.QueryRow(context.Background(), "SELECT count(*) FROM thing").Scan(&n); err != nil || n != b.N {
				b.Errorf("%d rows of %d, %v", n, b.N, err)
			}
		})
	}
}

// insertMany is the hot statement in each engine's form.
func insertMany(ctx context.Context, tx *sql.Tx, d sqldb.Dialect, ids []int64) error {
	if d == sqldb.Postgres {
		names := make([]string, len(ids))
		for i := range names {
			names[i] = benchText
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO thing (id, name) SELECT * FROM unnest($1::bigint[], $2::text[])", ids, names)
		return err
	}
	const step = 64
	for len(ids) > 0 {
		n := min(step, len(ids))
		var (
			values strings.Builder
			args   = make([]any, 0, 2*n)
		)
		for i, id := range ids[:n] {
			if i > 0 {
				values.WriteByte(',')
			}
			values.WriteString("($" + strconv.Itoa(2*i+1) + ",$" + strconv.Itoa(2*i+2) + ")")
			args = append(args, id, benchText)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO thing (id, name) VALUES "+values.String(), args...); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
