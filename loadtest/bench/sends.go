package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// sends are the benchmark of the chat service, which has the generator in its process. Its data lies in $TMPDIR, where the user of PostgreSQL
// can read: that must be on a disk, too.
func sends() group {
	goals := []goal{{"durable sends on SQLite, over gRPC", "/s", higher, 10_000}, {"durable sends on PostgreSQL, over gRPC", "/s", higher, 20_000}}
	return group{"sends", goals, func(ctx context.Context, l *lab) ([]sample, error) {
		var out bytes.Buffer
		tee := &lab{dir: l.dir, log: io.MultiWriter(l.log, &out)}
		if err := tee.tool(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkSend$/./^rpc$", "-benchtime", "5s", "plenum.internal/chat"); err != nil {
			return nil, err
		}
		return parseSends(out.String())
	}}
}

var sendsLine = regexp.MustCompile(`BenchmarkSend/(sqlite|postgres)/rpc.*?([\d.]+) sends/s`)

// parseSends reads what go test printed: SQLite's first.
func parseSends(out string) ([]sample, error) {
	found := map[string]float64{}
	for _, m := range sendsLine.FindAllStringSubmatch(out, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, fmt.Errorf("chat's benchmark: %w", err)
		}
		found[m[1]] = v
	}
	if len(found) != 2 {
		return nil, errors.New("chat's benchmark told no sends on both engines")
	}
	return []sample{{value: found["sqlite"]}, {value: found["postgres"]}}, nil
}
