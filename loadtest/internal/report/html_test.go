package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/tally"
)

type flags struct {
	Inner
	Rate  float64
	Sizes []string
	Extra string `name:"more"`
	own   int
}

// Inner is embedded, as Office is in a scenario.
type Inner struct{ OpenTopics int }

func result() *run.Result {
	summary := meter.Summary{Count: 1234567, P50: 900, P90: 2000, P99: 15_000, P999: 400_000, Max: 2_500_000}
	res := &run.Result{
		Scenario: "chat", Options: run.Options{Connections: 500, PID: []int{7, 8}, Warmup: 5 * time.Second},
		Flags:   &flags{Inner{3}, 2.5, []string{"10:2", "2:1"}, "", 1},
		Started: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Measured: 30,
		Figures: []run.Figure{{Name: "mutations offered", Value: 200, Unit: "/s"}, {Name: "connections lost", Value: 0}},
		Latency: []run.Latency{
			{Name: "ack", Summary: summary, Bars: meter.Bars{{To: 900, Count: 1_000_000}, {To: 2_500_000, Count: 1}}},
			{Name: "resume"},
		},
		Findings: tally.Findings{Events: 42, Resets: 1},
		Width:    1, Window: [2]float64{1, 3}, Programs: []string{"gateway (7)", "chat (8)"},
	}
	for i := range 4 {
		v := run.Interval{At: float64(i), Took: 1, Connected: 500, Offered: 200, Answered: 199, Events: 1e4, Load: 1.5,
			Processes: []run.Process{{Cores: 0.5, Resident: 100 << 20}, {Cores: 0.25, Resident: 50 << 20}}}
		if i > 0 {
			v.Latency = map[string]meter.Summary{"ack": summary}
		}
		res.Intervals = append(res.Intervals, v)
	}
	return res
}

// render returns the page, after it was checked to be well-formed and to stand alone.
func render(t *testing.T, res *run.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := HTML(res, &out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, bad := range []string{"ZgotmplZ", "NaN", "Inf", "%!", "url(", "@import"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return page
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch element.Name.Local {
		case "script", "link", "img", "iframe", "object", "base", "use", "a", "form":
			t.Errorf("<%s> is in the page", element.Name.Local)
		}
		for _, a := range element.Attr {
			if name := strings.ToLower(a.Name.Local); strings.HasPrefix(name, "on") || name == "src" || name == "href" || name == "style" {
				t.Errorf("%s=%q is in the page", name, a.Value)
			}
		}
	}
}

// The page tells all that a result holds.
func TestPage(t *testing.T) {
	page := render(t, result())
	for _, want := range []string{
		"<title>Load test: chat, Mon, 04 May 2026 03:02:01 &#43;0000</title>", "Passed:", "500 connections, 30s measured",
		`<tr><th scope="row">ack</th><td class="n">1` + "\u202f234\u202f" + `567</td><td class="n">900 µs</td><td class="n">2 ms</td><td class="n">15 ms</td><td class="n">400 ms</td><td class="n">2.5 s</td>`,
		`<tr><th scope="row">resume</th><td class="n">0</td><td class="n">–</td>`,
		`<tr><th scope="row">lost</th><td class="n">0</td>`, `<tr><th scope="row">causal violations</th>`, `<th scope="row">gaps</th>`,
		`<th scope="row">duplicates</th>`, `<th scope="row">order violations</th>`, `<th scope="row">resets</th><td class="n">1</td>`,
		`<tr><th scope="row">mutations offered</th><td>200 /s</td></tr>`, `<tr><th scope="row">connections lost</th><td>0</td></tr>`,
		`<tr><th scope="row">--connections</th><td>500</td></tr>`, `<tr><th scope="row">--pid</th><td>7, 8</td></tr>`,
		`<tr><th scope="row">--warmup</th><td>5s</td></tr>`, `<tr><th scope="row">--open-topics</th><td>3</td></tr>`,
		`<tr><th scope="row">--sizes</th><td>10:2, 2:1</td></tr>`, `<tr><th scope="row">--more</th><td>–</td></tr>`,
		"open-loop", "How latency of “ack” went", "How latency of “ack” was distributed", "Processor time of the server", "gateway (7)",
		"Resident memory of the server", "150 MiB", "Load of the generator", "prefers-color-scheme: dark", `class="window"`,
		"at 1s: p50 900 µs, p99 15 ms, max 2.5 s", "at 0s: all 0.75, gateway (7) 0.5, chat (8) 0.25",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	for _, bad := range []string{"Failed", "latency of “resume”", "--own"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
}

// A run that failed says so at the top, and marks which promise was broken.
func TestFailedPage(t *testing.T) {
	res := result()
	res.Problems = []string{"promises were broken"}
	res.Findings.Lost = 3
	page := render(t, res)
	for _, want := range []string{"<li>promises were broken</li>", `<tr class="broken"><th scope="row">lost</th><td class="n">3</td>`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(page, "Passed") || strings.Count(page, `class="broken"`) != 1 {
		t.Error("it passed, or an event or a reset is a broken promise")
	}
}

// What a server or a command line says is shown, and does nothing.
func TestEscapes(t *testing.T) {
	const evil = `</title></style></svg><script>alert(1)</script><img src="x" onerror='alert(2)'>{{.}}`
	res := result()
	res.Scenario = evil
	res.Options.Accounts = evil
	res.Problems = []string{evil}
	res.Refusals = map[string]int{evil: 2}
	res.Programs = []string{evil, evil}
	res.Figures = append(res.Figures, run.Figure{Name: evil, Unit: evil})
	res.Latency[0].Name = evil
	page := render(t, res)
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") || strings.Count(page, "&lt;script&gt;") < 8 {
		t.Error("something is not escaped, or not shown")
	}
}

// A run that ended before anything was measured still has a page.
func TestEmptyPage(t *testing.T) {
	page := render(t, &run.Result{})
	if strings.Contains(page, "<figure>") || !strings.Contains(page, "<h2>Options</h2>") {
		t.Error(page)
	}
	one := result()
	one.Intervals, one.Window = one.Intervals[:1], [2]float64{}
	one.Intervals[0].Offered, one.Intervals[0].Events = 0, 0
	one.Options.PID, one.Programs, one.Intervals[0].Processes = nil, nil, nil
	page = render(t, one)
	if !strings.Contains(page, "Load of the generator") || strings.Contains(page, "Processor time of the server") || strings.Contains(page, `class="window"`) ||
		strings.Contains(page, "Events that clients took") {
		t.Error("one interval without a server's process is not shown as such")
	}
	if one.Latency[0].Bars = nil; !strings.Contains(render(t, one), "was distributed") {
		t.Error("no bars")
	}
}

// 600 intervals make a page that a browser opens at once.
func TestLongPage(t *testing.T) {
	res := result()
	for i := range 596 {
		v := res.Intervals[3]
		v.At = float64(4 + i)
		res.Intervals = append(res.Intervals, v)
	}
	if n := len(render(t, res)); n > 2<<20 {
		t.Errorf("%d bytes", n)
	}
}

// A gap in the values is a gap in the line; what stands alone is a dash.
func TestPath(t *testing.T) {
	nan := math.NaN()
	s := span{times: []float64{5, 15, 25, 35, 45, 55}, width: 10, end: 100}
	x, y := axis{most: 100, to: 100}, axis{most: 10, from: 100}
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{[]float64{1, 2, nan, 3, nan, 4}, "M5 90L15 80M30 70H40M50 60H60"},
		{[]float64{nan, nan, nan, nan, nan, nan}, ""},
		{[]float64{0, 10, 20, -1, nan, nan}, "M5 100L15 0L25 0L35 100"},
	} {
		if got := path(s, c.values, x, y); got != c.want {
			t.Errorf("%v: %s, want %s", c.values, got, c.want)
		}
	}
}

// Each latency is in a bar, and each bar in the plot.
func TestHistogram(t *testing.T) {
	p := histogram(run.Latency{Name: "ack", Summary: meter.Summary{Count: 111, P50: 100, P99: 100_000, P999: 100_000},
		Bars: meter.Bars{{To: 1, Count: 10}, {To: 100, Count: 50}, {To: 101, Count: 50}, {To: 120_000_000, Count: 1}}})
	if len(p.Bars) != 3 || !strings.HasSuffix(p.Bars[1].Label, ": 100") || !strings.HasPrefix(p.Bars[1].Label, "100 µs to ") {
		t.Fatalf("%+v", p.Bars)
	}
	for _, b := range p.Bars {
		if b.X < leftEdge || b.X+b.Width > rightEdge || b.Y < topEdge || b.Height < 3 || math.Abs(b.Y+b.Height-floorEdge) > 0.01 {
			t.Errorf("%+v", b)
		}
	}
	if len(p.Marks) != 3 || p.Marks[0].Label != "p50 100 µs" || p.Marks[0].X >= p.Marks[1].X {
		t.Errorf("%+v", p.Marks)
	}
}
