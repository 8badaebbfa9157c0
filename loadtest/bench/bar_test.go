package bench

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMedian(t *testing.T) {
	for _, x := range []struct {
		samples []float64
		want    float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 9, 1, 2}, 3}} {
		if got := median(x.samples); got != x.want {
			t.Errorf("%v: %v, want %v", x.samples, got, x.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 9).Draw(t, "samples")
		below, above, m := 0, 0, median(s)
		for _, v := range s {
			if v < m {
				below++
			} else if v > m {
				above++
			}
		}
		if below > len(s)/2 || above > len(s)/2 {
			t.Fatalf("%v is not in the middle of %v", m, s)
		}
	})
}

// plain are samples without a control.
func plain(values ...float64) (all []sample) {
	for _, v := range values {
		all = append(all, sample{value: v})
	}
	return all
}

func TestVerdicts(t *testing.T) {
	for _, x := range []struct {
		goal    goal
		samples []sample
		problem error
		ok      bool
	}{
		{goal{"at the bar", "s", lower, 10}, plain(10, 10, 99), nil, true},
		{goal{"above", "s", lower, 10}, plain(10.1), nil, false},
		{goal{"enough", "/s", higher, 10}, plain(10, 1, 12), nil, true},
		{goal{"too few", "/s", higher, 10}, plain(9.9), nil, false},
		{goal{"nothing", "s", lower, 10}, nil, nil, false},
		{goal{"one broke", "s", lower, 10}, plain(1), errors.New("it broke"), false},
		{goal{"a quick control counts for nothing", "ms", lower, 30}, []sample{{31, 10}}, nil, false},
		{goal{"nor against", "ms", lower, 30}, []sample{{30, 0.1}}, nil, true},
		{goal{"a slow control raises the bar", "ms", lower, 30}, []sample{{60, 20}}, nil, true},
		{goal{"and no further", "ms", lower, 30}, []sample{{61, 20}}, nil, false},
		{goal{"medians of both", "ms", lower, 30}, []sample{{90, 1}, {33, 11}, {1, 99}}, nil, true},
	} {
		if b := x.goal.judge(x.samples, nil, x.problem); b.OK != x.ok || (b.Problem != "") != (x.problem != nil) {
			t.Errorf("%+v", b)
		}
	}
}

func TestRatioIsOfTheMedians(t *testing.T) {
	b := goal{"a", "ms", lower, 10}.judge([]sample{{8, 1}, {6, 2}, {1, 3}}, []float64{1}, nil)
	if b.Value != 6 || b.Control != 2 || b.Ratio != 3 || len(b.Samples) != 3 || b.Samples[0] != 8 {
		t.Errorf("%+v", b)
	}
}

func TestTableAndFile(t *testing.T) {
	bars := []Bar{
		goal{"memory", "KiB", lower, 12}.judge(plain(11.5, 12.25, 3), []float64{1, 2.5, 0.25}, nil),
		goal{"fan-out", "/s", higher, 370_000}.judge(plain(1e5), nil, nil),
		goal{"p99", "ms", lower, 50}.judge([]sample{{40, 16}}, nil, nil),
		goal{"slow machine", "ms", lower, 50}.judge([]sample{{60, 20}}, nil, nil),
		goal{"broken", "s", lower, 1}.judge(nil, nil, errors.New("it broke")),
	}
	var out strings.Builder
	if err := show(&out, bars); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"memory 11.5 KiB <= 12.0 ok - - 11.5 12.2 3.00 1.00 2.50 0.25", "fan-out 100000 /s >= 370000 missed - - 100000",
		"p99 40.0 ms <= 50.0 ok 16.0 ms 2.50 40.0", "slow machine 60.0 ms <= 50.0 ok by ratio 20.0 ms 3.00 60.0",
		"broken - <= 1.00 missed", "broken: it broke",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	path := filepath.Join(t.TempDir(), "bars.json")
	if err := write(path, bars); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	var back []map[string]any
	if err != nil || json.Unmarshal(data, &back) != nil || len(back) != len(bars) {
		t.Fatalf("%v: %s", err, data)
	}
	for _, key := range []string{"name", "unit", "value", "goal", "better", "ok", "samples"} {
		if _, ok := back[0][key]; !ok {
			t.Errorf("no %s in %v", key, back[0])
		}
	}
	if back[0]["ok"] != true || back[1]["better"] != "higher" || back[0]["control"] != nil || back[2]["ratio"] != 2.5 || back[4]["problem"] != "it broke" {
		t.Errorf("%s", data)
	}
}
