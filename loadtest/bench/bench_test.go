package bench

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestChoose(t *testing.T) {
	all := groups()
	if got, err := choose(all, nil); err != nil || len(got) != len(all) {
		t.Errorf("%d groups, %v", len(got), err)
	}
	if two, err := choose(all, []string{"slow", "idle"}); err != nil || len(two) != 2 || two[0].name != "slow" || two[1].name != "idle" {
		t.Errorf("%v, %v", two, err)
	}
	if kind, err := choose(all, []string{"docs", "slow"}); err != nil || len(kind) != 7 || kind[0].name != "docs/service" || kind[6].name != "slow" {
		t.Errorf("%v, %v", kind, err)
	}
	if one, err := choose(all, []string{"docs/knee"}); err != nil || len(one) != 1 || one[0].name != "docs/knee" {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := choose(all, []string{"fast"}); err == nil {
		t.Error("an unknown group was chosen")
	}
	seen := map[string]bool{}
	for _, g := range all {
		if seen[g.name] {
			t.Errorf("two groups are named %s", g.name)
		}
		seen[g.name] = true
		for _, bar := range g.goals {
			if seen[bar.name] {
				t.Errorf("two bars are named %s", bar.name)
			}
			seen[bar.name] = true
		}
	}
}

func TestFlags(t *testing.T) {
	all := groups()
	if f, err := parse([]string{"--runs", "1", "--only", "slow,idle"}, all, io.Discard); err != nil || f.Runs != 1 || len(f.Only) != 2 || f.Dir == "" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, args := range [][]string{{"--runs", "0"}, {"--runs", "101"}, {"--fast"}} {
		if _, err := parse(args, all, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	var help strings.Builder
	if f, err := parse([]string{"--help"}, all, &help); f != nil || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	for _, g := range all {
		if !strings.Contains(help.String(), g.name) {
			t.Errorf("help doesn't name %s:\n%s", g.name, help.String())
		}
	}
}

func TestMeasure(t *testing.T) {
	n := 0.0
	g := group{"g", []goal{{"a", "s", lower, 4}, {"b", "/s", higher, 100}}, func(context.Context, *lab) ([]sample, error) {
		n++
		return []sample{{n, 1}, {value: 10 * n}}, nil
	}}
	var progress strings.Builder
	bars := measure(t.Context(), nil, g, 3, &progress)
	if len(bars) != 2 || bars[0].Value != 2 || !bars[0].OK || bars[1].Value != 20 || bars[1].OK || len(bars[1].Samples) != 3 || len(bars[0].Load) != 3 {
		t.Errorf("%+v", bars)
	}
	for _, want := range []string{"g 3/3: b: 30.0 /s (load ", "g 2/3: a: 2.00 s (control 1.00, load "} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in\n%s", want, progress.String())
		}
	}
	calls := 0
	g.run = func(context.Context, *lab) ([]sample, error) {
		if calls++; calls == 2 {
			return nil, errors.New("it broke")
		}
		return []sample{{value: 1}, {value: 1000}}, nil
	}
	for _, b := range measure(t.Context(), nil, g, 3, io.Discard) {
		if b.OK || b.Problem != "it broke" || len(b.Samples) != 1 || calls != 2 {
			t.Errorf("after a broken run: %+v, %d calls", b, calls)
		}
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
	if s, err := latency(r, r, "deliver"); s != (sample{4.5, 4.5}) || err != nil {
		t.Error(s, err)
	}
	if _, err := latency(r, r, "ack"); err == nil {
		t.Error("a latency that was not measured was told")
	}
	if _, err := latency(r, &run.Result{}, "deliver"); err == nil {
		t.Error("a control that was not measured was told")
	}
}

func TestResidentIsOfTheWindowsLastThird(t *testing.T) {
	r := &run.Result{Window: [2]float64{10, 40}}
	for i, mb := range []int64{900, 900, 1, 3, 2, 900} {
		r.Intervals = append(r.Intervals, run.Interval{At: []float64{9, 29, 30, 31, 39, 40}[i], Processes: []run.Process{{Resident: mb}}})
	}
	if v := resident(r); v != 2 {
		t.Error(v)
	}
}

func TestMemoryOfAConnection(t *testing.T) {
	const mib = 1 << 20
	if v := perConnection(350, 200*mib); v != 10.24 { // 150 MiB for 15,000
		t.Error(v)
	}
}

func TestParseSends(t *testing.T) {
	postgres := "BenchmarkSend/postgres/rpc-2 \t 1 \t 5 ns/op \t 20100.5 sends/s\n"
	sqlite := "BenchmarkSend/sqlite/rpc-2   \t 27238\t 108341 ns/op\t 0.3390 s-behind\t 9229 sends/s\n"
	if s, err := parseSends(postgres + sqlite); err != nil || len(s) != 2 || s[0].value != 9229 || s[1].value != 20100.5 {
		t.Error(s, err)
	}
	if _, err := parseSends(sqlite + "PASS\n"); err == nil {
		t.Error("one engine was enough")
	}
}

func TestFiguresOfBenchmarks(t *testing.T) {
	const out = "BenchmarkWrite   \t      12\t  98 ns/op\t 1629343 changes/s\t 12 leaves\nBenchmarkSubmit/sqlite-2  \t 20000\t 181732 ns/op\t      5503 edits/s\nBenchmarkScatter-2 \t 3\t 5 ns/op\t 3.5e+06 changes/s\n"
	for _, f := range []struct {
		benchmark, metric string
		want              float64
	}{{"BenchmarkWrite", "changes/s", 1629343}, {"BenchmarkSubmit/sqlite", "edits/s", 5503}, {"BenchmarkScatter", "changes/s", 3.5e6}} {
		if v, err := metric(out, f.benchmark, f.metric); err != nil || v != f.want {
			t.Errorf("%s: %v %v", f.benchmark, v, err)
		}
	}
	if _, err := metric(out, "BenchmarkSubmit/postgres", "edits/s"); err == nil {
		t.Error("a figure of nothing")
	}
}

func TestTheSetupLink(t *testing.T) {
	for line, want := range map[string]string{
		"  open http://127.0.0.1:42349/#setup=aB-_9 within 24 hours": "http://127.0.0.1:42349/#setup=aB-_9",
		"listening on http://127.0.0.1:42349":                        "",
	} {
		if got := setupLink.FindString(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

func TestTheControlServerLeavesNothing(t *testing.T) {
	l := &lab{dir: t.TempDir(), log: io.Discard}
	b, err := l.control(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := account.Load(b.accounts); err != nil || len(all) != 3 {
		t.Errorf("%d accounts, %v", len(all), err)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(l.dir + "/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
