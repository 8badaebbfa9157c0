package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"plenum.internal/loadtest/internal/run"
)

//go:embed page.html page.css
var files embed.FS

// HTML writes a page with plots that needs nothing but itself: no network, no script.
func HTML(res *run.Result, w io.Writer) error {
	t, err := template.New("page.html").ParseFS(files, "page.html", "page.css")
	if err == nil {
		err = t.Execute(w, newPage(res))
	}
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// page is what the template shows.
type page struct {
	*run.Result
	Began    string
	Length   string
	Summary  []summary
	Kinds    []kind
	Rows     []finding
	Numbers  []option
	Refused  []option
	Settings []option
	Plots    []plot
}

// summary is a row of the table of latencies.
type summary struct {
	Name, What, Count string
	Quantiles         []string // p50, p90, p99, p99.9, max
}

// kind is one kind of latency, with its plots.
type kind struct {
	Name  string
	Plots []plot
}

// finding is one count of the checks.
type finding struct {
	Name, What, Count string
	Broken            bool // a promise
}

// option is a name and its value.
type option struct{ Name, Value string }

// kinds says what each kind of latency is.
var kinds = map[string]string{
	"connect": "from when a first connection was due until the server's welcome",
	"open":    "from when a first connection was due until all its topics were open",
	"resume":  "from the loss of a connection until all its topics were open again",
	"ack":     "from when a mutation was due until its answer",
	"deliver": "from when a message was due until each of its readers had it",
}

func title(kind string) string { return "latency of “" + kind + "”" }

func newPage(res *run.Result) page {
	p := page{
		Result: res, Began: res.Started.Format(time.RFC1123Z), Length: seconds(res.Measured), Rows: findings(res),
		Settings: append(settings(res.Options), settings(res.Flags)...),
	}
	for _, f := range res.Figures {
		value := number(f.Value)
		if f.Unit != "" {
			value = plain(f.Value) + " " + f.Unit
		}
		p.Numbers = append(p.Numbers, option{f.Name, value})
	}
	for _, why := range slices.Sorted(maps.Keys(res.Refusals)) {
		p.Refused = append(p.Refused, option{why, grouped(int64(res.Refusals[why]))})
	}
	s := newSpan(res)
	for _, l := range res.Latency {
		row := summary{Name: l.Name, What: kinds[l.Name], Count: grouped(l.Count)}
		for _, v := range []int64{l.P50, l.P90, l.P99, l.P999, l.Max} {
			if l.Count > 0 {
				row.Quantiles = append(row.Quantiles, latency(float64(v)))
			} else {
				row.Quantiles = append(row.Quantiles, "–")
			}
		}
		p.Summary = append(p.Summary, row)
		if l.Count > 0 {
			p.Kinds = append(p.Kinds, kind{l.Name, []plot{quantiles(l.Name, s, res.Intervals), histogram(l)}})
		}
	}
	if len(res.Intervals) > 0 {
		p.Plots = append(rates(s, res.Intervals), usage(s, res)...)
	}
	return p
}

func findings(res *run.Result) []finding {
	f := res.Findings
	var out []finding
	for _, row := range []struct {
		name, what string
		n          uint64
		promise    bool
	}{
		{"events", "taken by all clients, each once", f.Events, false},
		{"lost", "acknowledged or passed over, and not there at the end", f.Lost, true},
		{"duplicates", "events that came to a client a second time", f.Duplicates, true},
		{"order violations", "events that came behind later ones of their topic", f.Disorder, true},
		{"gaps", "times that offsets were passed over without a word", f.Gaps, true},
		{"causal violations", "messages whose cause did not come in time", f.Causal, true},
		{"stored twice", "messages that stand in their topic more than once", f.Doubled, true},
		{"other content", "clients whose document is not the server's", f.Diverged, true},
		{"resets", "times that the server told a client to start anew, which it may", f.Resets, false},
	} {
		out = append(out, finding{row.name, row.what, grouped(row.n), row.promise && row.n > 0})
	}
	return out
}

func newSpan(res *run.Result) span {
	s := span{window: res.Window, width: res.Width}
	for _, v := range res.Intervals {
		s.times = append(s.times, v.At+s.width/2)
		s.end = v.At + s.width
	}
	return s
}

// over reads a value of each interval.
func over(res []run.Interval, name string, value func(run.Interval) float64) curve {
	c := curve{name: name}
	for _, v := range res {
		c.values = append(c.values, value(v))
	}
	return c
}

func quantiles(name string, s span, all []run.Interval) plot {
	read := func(label string, q func(int64, int64, int64) int64) curve {
		return over(all, label, func(v run.Interval) float64 {
			l, ok := v.Latency[name]
			if !ok || l.Count == 0 {
				return math.NaN()
			}
			return float64(q(l.P50, l.P99, l.Max))
		})
	}
	return overTime("How "+title(name)+" went", "latency (logarithmic)", s, []curve{
		read("p50", func(p50, _, _ int64) int64 { return p50 }),
		read("p99", func(_, p99, _ int64) int64 { return p99 }),
		read("max", func(_, _, most int64) int64 { return most }),
	}, true, latency)
}

// rates draws what was done each second; what no client did is left out.
func rates(s span, all []run.Interval) []plot {
	var out []plot
	offered := over(all, "offered", func(v run.Interval) float64 { return v.Offered })
	if slices.Max(offered.values) > 0 {
		answered := over(all, "took place", func(v run.Interval) float64 { return v.Answered })
		out = append(out, overTime("Mutations", "mutations per second", s, []curve{offered, answered}, false, number))
	}
	events := over(all, "events", func(v run.Interval) float64 { return v.Events })
	if slices.Max(events.values) > 0 {
		out = append(out, overTime("Events that clients took", "events per second", s, []curve{events}, false, number))
	}
	return append(out, overTime("Connections", "connections", s, []curve{
		over(all, "connected", func(v run.Interval) float64 { return float64(v.Connected) }),
	}, false, number))
}

// eachMost is how many processes get curves of their own.
const eachMost = 5

// usage draws what the server's processes used, and the load of the whole machine.
func usage(s span, res *run.Result) []plot {
	load := overTime("Load of the generator's machine", "runnable tasks", s, []curve{
		over(res.Intervals, "average of a minute", func(v run.Interval) float64 { return v.Load }),
	}, false, plain)
	if len(res.Options.PID) == 0 {
		return []plot{load}
	}
	draw := func(value func(run.Process) float64) []curve {
		all := []curve{over(res.Intervals, "all", func(v run.Interval) float64 {
			sum := math.NaN()
			for i, u := range v.Processes {
				if i == 0 {
					sum = 0
				}
				sum += value(u)
			}
			return sum
		})}
		if len(res.Programs) == 1 {
			all[0].name = res.Programs[0]
		}
		for i, name := range res.Programs {
			if n := len(res.Programs); n == 1 || n > eachMost {
				break
			}
			all = append(all, over(res.Intervals, name, func(v run.Interval) float64 {
				if i >= len(v.Processes) {
					return math.NaN()
				}
				return value(v.Processes[i])
			}))
		}
		return all
	}
	return []plot{
		overTime("Processor time of the server", "cores", s, draw(func(u run.Process) float64 { return u.Cores }), false, plain),
		overTime("Resident memory of the server", "memory", s, draw(func(u run.Process) float64 { return float64(u.Resident) / (1 << 20) }), false, mebibytes),
		load,
	}
}
