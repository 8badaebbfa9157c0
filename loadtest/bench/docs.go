package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// docs are the bars of documents: of the engine and of the service over gRPC, which have the generator in their process.
func docs() group {
	g := group{name: "docs/service", run: serviceBenchmarks}
	for _, f := range serviceFigures {
		g.goals = append(g.goals, f.goal)
	}
	return g
}

// serviceFigures are what go's benchmarks tell.
var serviceFigures = []struct {
	goal
	benchmark, metric string
}{
	{goal{"edits applied by the engine, a trace of 260,000", "/s", higher, 50_000}, "BenchmarkWrite", "changes/s"},
	{goal{"edits applied by the engine, at random places of a megabyte", "/s", higher, 50_000}, "BenchmarkScatter", "changes/s"},
	{goal{"durable edits of one document on SQLite, over gRPC", "/s", higher, 5_000}, "BenchmarkSubmit/sqlite", "edits/s"},
	{goal{"durable edits of one document on PostgreSQL, over gRPC", "/s", higher, 5_000}, "BenchmarkSubmit/postgres", "edits/s"},
	{goal{"p99 of an edit, 50 editors of one document, 5 edits/s each, on SQLite, over gRPC", "ms", lower, 20}, "BenchmarkEditors/sqlite", "p99-ms"},
	{goal{"p99 of an edit, 50 editors of one document, 5 edits/s each, on PostgreSQL, over gRPC", "ms", lower, 20}, "BenchmarkEditors/postgres", "p99-ms"},
	{goal{"p99 of opening a document of 260,000 edits", "ms", lower, 50}, "BenchmarkOpen", "p99-ms"},
	{goal{"p99 of opening a document of 1,000,000 edits and 100,000 characters on SQLite", "ms", lower, 100}, "BenchmarkOpenLong/sqlite", "p99-ms"},
	{goal{"p99 of opening a document of 1,000,000 edits and 100,000 characters on PostgreSQL", "ms", lower, 100}, "BenchmarkOpenLong/postgres", "p99-ms"},
	{goal{"memory of an idle open document of 10,000 characters, of 10,000 such, on SQLite", "KiB", lower, 64}, "BenchmarkIdle/sqlite", "KiB/document"},
	{goal{"memory of an idle open document of 10,000 characters, of 10,000 such, on PostgreSQL", "KiB", lower, 64}, "BenchmarkIdle/postgres", "KiB/document"},
	{goal{"from the last use until all 10,000 are closed, on SQLite", "s", lower, 70}, "BenchmarkIdle/sqlite", "closed-s"}, // a minute, and closing them
	{goal{"from the last use until all 10,000 are closed, on PostgreSQL", "s", lower, 70}, "BenchmarkIdle/postgres", "closed-s"},
}

func serviceBenchmarks(ctx context.Context, l *lab) (samples []sample, err error) {
	var out bytes.Buffer
	tee := &lab{dir: l.dir, log: io.MultiWriter(l.log, &out)}
	for _, args := range [][]string{
		{"-bench", "^Benchmark(Write|Scatter)$", "plenum.internal/docs/ot"},
		{"-bench", "^BenchmarkSubmit$", "-benchtime", "30000x", "plenum.internal/docs"},
		{"-bench", "^BenchmarkEditors$", "-benchtime", "5000x", "plenum.internal/docs"},
		{"-bench", "^BenchmarkOpen$", "-benchtime", "50x", "plenum.internal/docs"},
		{"-bench", "^BenchmarkOpenLong$", "-benchtime", "200x", "plenum.internal/docs"},
		{"-bench", "^BenchmarkIdle$", "-benchtime", "1x", "plenum.internal/docs"},
	} {
		if err := tee.tool(ctx, "go", append([]string{"test", "-run", "^$", "-timeout", "15m"}, args...)...); err != nil {
			return nil, err
		}
	}
	for _, f := range serviceFigures {
		v, err := metric(out.String(), f.benchmark, f.metric)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{value: v})
	}
	return samples, nil
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
