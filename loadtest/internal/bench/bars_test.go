package bench

import (
	"encoding/json"
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

func TestVerdicts(t *testing.T) {
	for _, x := range []struct {
		goal    goal
		samples []float64
		ok      bool
	}{
		{goal{"a", "s", lower, 10}, []float64{10, 10, 99}, true},
		{goal{"b", "s", lower, 10}, []float64{10.1}, false},
		{goal{"c", "/s", higher, 10}, []float64{10, 1, 12}, true},
		{goal{"d", "/s", higher, 10}, []float64{9.9}, false},
		{goal{"e", "s", lower, 10}, nil, false},
	} {
		if b := x.goal.judge(x.samples, nil); b.OK != x.ok {
			t.Errorf("%+v", b)
		}
	}
}

func TestTableAndFile(t *testing.T) {
	bars := []Bar{goal{"memory", "KiB", lower, 12}.judge([]float64{11.5, 12.25, 3}, []float64{1, 2.5, 0.25}), goal{"fan-out", "/s", higher, 370_000}.judge([]float64{1e5}, nil)}
	var out strings.Builder
	if err := show(&out, bars); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"memory   11.5 KiB   <= 12.0    ok      11.5 12.2 3.00  1.00 2.50 0.25", "fan-out  100000 /s  >= 370000  missed  100000"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	path := filepath.Join(t.TempDir(), "bars.json")
	if err := write(path, bars); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	var back []map[string]any
	if err != nil || json.Unmarshal(data, &back) != nil || len(back) != 2 || back[0]["name"] != "memory" || back[0]["ok"] != true || back[1]["better"] != "higher" {
		t.Errorf("%v: %s", err, data)
	}
}
