package bench

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/run"
)

func TestChoose(t *testing.T) {
	if all, err := choose(nil); err != nil || len(all) != len(groups) {
		t.Errorf("%d groups, %v", len(all), err)
	}
	if two, err := choose([]string{"slow", "idle"}); err != nil || len(two) != 2 || two[0].name != "slow" {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := choose([]string{"fast"}); err == nil {
		t.Error("an unknown group was chosen")
	}
}

func TestMeasure(t *testing.T) {
	n := 0.0
	g := group{"g", []goal{{"a", "s", lower, 4}, {"b", "/s", higher, 100}}, func(context.Context, *lab) ([]float64, error) {
		n++
		return []float64{n, 10 * n}, nil
	}}
	var progress strings.Builder
	bars, err := measure(t.Context(), nil, g, 3, &progress)
	if err != nil || len(bars) != 2 || bars[0].Value != 2 || !bars[0].OK || bars[1].Value != 20 || bars[1].OK || len(bars[1].Samples) != 3 || len(bars[0].Load) != 3 {
		t.Errorf("%+v, %v", bars, err)
	}
	if !strings.Contains(progress.String(), "g 3/3: b: 30.0 /s") {
		t.Error(progress.String())
	}
	g.run = func(context.Context, *lab) ([]float64, error) { return nil, errors.New("it broke") }
	if _, err := measure(t.Context(), nil, g, 3, io.Discard); err == nil {
		t.Error("a broken run made a bar")
	}
}

func TestReadingResults(t *testing.T) {
	r := &run.Result{Figures: []run.Figure{{Name: "x", Value: 7}}, Latency: []run.Latency{{Name: "deliver", Summary: meter.Summary{Count: 1, P99: 4500}}, {Name: "ack"}}}
	if v, err := figure(r, "x"); v != 7 || err != nil {
		t.Error(v, err)
	}
	if _, err := figure(r, "y"); err == nil {
		t.Error("a figure that isn't there was found")
	}
	if v, err := p99(r, "deliver"); v != 4.5 || err != nil {
		t.Error(v, err)
	}
	if _, err := p99(r, "ack"); err == nil {
		t.Error("a latency that was not measured was told")
	}
	lines := "BenchmarkSend/sqlite/rpc-2   \t 27238\t 108341 ns/op\t 0.3390 s-behind\t 9229 sends/s\nBenchmarkSend/postgres/rpc-2 \t 1 \t 5 ns/op \t 20100.5 sends/s\n"
	if m := sendsLine.FindAllStringSubmatch(lines, -1); len(m) != 2 || m[0][2] != "9229" || m[1][1] != "postgres" || m[1][2] != "20100.5" {
		t.Errorf("%v", m)
	}
}
