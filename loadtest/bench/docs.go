package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// docs are the benchmarks of documents: the engine's, and the service's over gRPC, which have the generator in their process.
func docs() group {
	figures := []struct {
		goal
		benchmark, metric string
	}{
		{goal{"edits applied by the engine, a trace of 260,000", "/s", higher, 50_000}, "BenchmarkWrite", "changes/s"},
		{goal{"edits applied by the engine, at random places of a megabyte", "/s", higher, 50_000}, "BenchmarkScatter", "changes/s"},
		{goal{"durable edits of one document on SQLite, over gRPC", "/s", higher, 5_000}, "BenchmarkSubmit/sqlite", "edits/s"},
		{goal{"durable edits of one document on PostgreSQL, over gRPC", "/s", higher, 5_000}, "BenchmarkSubmit/postgres", "edits/s"},
		{goal{"p99 of an edit, 50 editors of one document, 5 edits/s each", "ms", lower, 20}, "BenchmarkEditors", "p99-ms"},
		{goal{"p99 of opening a document of 260,000 edits", "ms", lower, 50}, "BenchmarkOpen", "p99-ms"},
	}
	g := group{name: "docs", run: func(ctx context.Context, l *lab) ([]sample, error) {
		var out bytes.Buffer
		tee := &lab{dir: l.dir, log: io.MultiWriter(l.log, &out)}
		for _, args := range [][]string{
			{"-bench", "^Benchmark(Write|Scatter)$", "plenum.internal/docs/ot"},
			{"-bench", "^BenchmarkSubmit$", "-benchtime", "30000x", "plenum.internal/docs"},
			{"-bench", "^BenchmarkEditors$", "-benchtime", "5000x", "plenum.internal/docs"},
			{"-bench", "^BenchmarkOpen$", "-benchtime", "50x", "plenum.internal/docs"},
		} {
			if err := tee.tool(ctx, "go", append([]string{"test", "-run", "^$"}, args...)...); err != nil {
				return nil, err
			}
		}
		var samples []sample
		for _, f := range figures {
			v, err := metric(out.String(), f.benchmark, f.metric)
			if err != nil {
				return nil, err
			}
			samples = append(samples, sample{value: v})
		}
		return samples, nil
	}}
	for _, f := range figures {
		g.goals = append(g.goals, f.goal)
	}
	return g
}

// metric is what go test printed of a benchmark's metric.
func metric(out, benchmark, name string) (float64, error) {
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(benchmark) + `(?:-\d+)?\s.*?([\d.e+]+) ` + regexp.QuoteMeta(name) + `(?:\s|$)`)
	m := line.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s told no %s", benchmark, name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", benchmark, err)
	}
	return v, nil
}
