package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"plenum.internal/loadtest/internal/run"
)

// group is what one kind of run tells: a sample for each of its goals.
type group struct {
	name  string
	goals []goal
	run   func(ctx context.Context, l *lab) ([]float64, error)
}

// groups are all bars. Those of 10,000 connections have a server to themselves.
var groups = []group{
	{"idle", []goal{{"idle connection", "KiB", lower, 12}}, func(ctx context.Context, l *lab) ([]float64, error) {
		return idle(ctx, l, 5000, 5000, "0")
	}},
	{"bundle", []goal{{"idle connection with a bundle of 300", "KiB", lower, 16}}, func(ctx context.Context, l *lab) ([]float64, error) {
		return idle(ctx, l, 200, 5000, "300")
	}},
	{"fanout", []goal{{"deliveries for each core and second", "/s", higher, 370_000}}, func(ctx context.Context, l *lab) ([]float64, error) {
		return one(ctx, l, 200, func(r *run.Result) (float64, error) { return figure(r, "deliveries per core and second") },
			"fanout", "-n", "2000", "--rate", "300", "--senders", "50") // less than it can: a backlog would be cheap to deliver
	}},
	{"connect", []goal{{"server processor time for a session with 20 topics", "us", lower, 200}, {"12,000 sessions at once", "s", lower, 10}}, connect},
	{"sends", []goal{{"durable sends on SQLite, over gRPC", "/s", higher, 10_000}, {"durable sends on PostgreSQL, over gRPC", "/s", higher, 20_000}}, sends},
	{"chat", []goal{{"p99 from send to delivery: 10,000 connections, 2,000 sends/s", "ms", lower, 50}}, func(ctx context.Context, l *lab) ([]float64, error) {
		return one(ctx, l, 10_000, func(r *run.Result) (float64, error) { return p99(r, "deliver") },
			"fanout", "-n", "10000", "--channels", "1000", "--rate", "2000", "--senders", "10")
	}},
	{"slow", []goal{{"p99 of 1,000 beside a slow reader, as a part of that without one", "", lower, 1.2}}, slow},
}

// one runs one load test on a server of its own.
func one(ctx context.Context, l *lab, accounts int, read func(*run.Result) (float64, error), scenario string, flags ...string) ([]float64, error) {
	s, err := l.serve(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	res, err := s.load(ctx, scenario, flags...)
	if err != nil {
		return nil, err
	}
	v, err := read(res)
	return []float64{v}, err
}

// idle waits until the server has given back what the connecting took.
func idle(ctx context.Context, l *lab, accounts, connections int, bundle string) ([]float64, error) {
	return one(ctx, l, accounts, func(r *run.Result) (float64, error) { return figure(r, "memory for each connection") },
		"idle", "-n", strconv.Itoa(connections), "--bundle", bundle, "--duration", "50s")
}

func connect(ctx context.Context, l *lab) ([]float64, error) {
	const sessions = 12_000
	s, err := l.serve(ctx, sessions)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	res, err := s.load(ctx, "connect", "-n", strconv.Itoa(sessions), "--ramp", "0", "--topics", "20")
	if err != nil {
		return nil, err
	}
	cpu, err := figure(res, "server processor time for each connection")
	if err != nil {
		return nil, err
	}
	took, err := figure(res, "all connected within")
	return []float64{cpu, took}, err
}

var sendsLine = regexp.MustCompile(`BenchmarkSend/(sqlite|postgres)/rpc.*?([\d.]+) sends/s`)

// sends are the benchmark of the chat service, with the generator in its process.
func sends(ctx context.Context, l *lab) ([]float64, error) {
	var out bytes.Buffer
	tee := &lab{dir: l.dir, log: io.MultiWriter(l.log, &out)}
	if err := tee.tool(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkSend$/./^rpc$", "-benchtime", "5s", "plenum.internal/chat"); err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for _, m := range sendsLine.FindAllStringSubmatch(out.String(), -1) {
		found[m[1]], _ = strconv.ParseFloat(m[2], 64)
	}
	if len(found) != 2 {
		return nil, fmt.Errorf("chat's benchmark told no sends on both engines")
	}
	return []float64{found["sqlite"], found["postgres"]}, nil
}

// slow compares two runs on one server: with and without somebody who reads nothing.
func slow(ctx context.Context, l *lab) ([]float64, error) {
	s, err := l.serve(ctx, 1000)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var got [2]float64
	for i, slow := range []string{"0", "1"} {
		res, err := s.load(ctx, "fanout", "-n", "1000", "--rate", "20", "--bytes", "4000", "--slow", slow)
		if err != nil {
			return nil, err
		}
		if got[i], err = p99(res, "deliver"); err != nil {
			return nil, err
		}
	}
	return []float64{got[1] / got[0]}, nil
}
