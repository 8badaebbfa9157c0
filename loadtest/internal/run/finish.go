package run

import (
	"context"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
	"plenum.internal/loadtest/internal/tally"
)

// part is what one process tells of its run.
type part struct {
	Findings tally.Findings
	Refusals map[string]int
	Figures  []Figure
	Problems []string
	Latency  map[string][]byte
	Counters map[string]uint64
	Series   *series
	Ends     [2]end
}

// Finish closes the connections, checks what each client got against all that was acknowledged, and adds up what the processes found.
// Only process 0 gets a result.
func (r *Run) Finish(ctx context.Context, scenario string, flags any) (*Result, error) {
	heads, err := peers.Gather(ctx, r.Peers, "acknowledged", r.Crowd.Acked.Read())
	if err != nil {
		return nil, err
	}
	all := map[string]uint64{}
	for _, h := range heads {
		for topic, offset := range h {
			all[topic] = max(all[topic], offset)
		}
	}
	unanswered := 0
	for _, m := range r.Crowd.Members {
		unanswered += m.Unacked()
	}
	connected := r.Crowd.Connected()
	r.Crowd.Leave(all)
	if err := r.saveAccounts(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := part{
		Findings: r.Crowd.Counts.Read(), Refusals: r.Crowd.Refusals(), Figures: r.figures, Problems: r.problem, Series: r.series, Ends: r.ends,
		Latency: map[string][]byte{},
		Counters: map[string]uint64{
			"connected at the end": uint64(connected), "connections lost": r.Crowd.Dropped.Load(), "sends without room": r.Crowd.Unsent.Load(),
			"sends refused": r.Crowd.Failed.Load(), "sends without an answer": uint64(unanswered), "heads told": r.Crowd.Heads.Load(),
		},
	}
	for name, l := range latencies(r.Crowd) {
		if mine.Latency[name], err = meter.Encode(l.Total()); err != nil {
			return nil, err
		}
	}
	parts, err := peers.Gather(ctx, r.Peers, "result", mine)
	if err != nil || r.Peers.Index != 0 {
		return nil, err
	}
	return r.add(parts, scenario, flags)
}

// counters is the order in which they are shown.
var counters = []string{"connected at the end", "connections lost", "sends without room", "sends refused", "sends without an answer", "heads told"}

func (r *Run) add(parts []part, scenario string, flags any) (*Result, error) {
	from, to := r.ends[0], r.ends[1]
	res := &Result{
		Scenario: scenario, Options: r.Options, Flags: flags, Started: r.begin, Measured: to.At.Sub(from.At).Seconds(),
		Window: [2]float64{from.At.Sub(r.since).Seconds(), to.At.Sub(r.since).Seconds()}, Refusals: map[string]int{}, Figures: r.figures,
	}
	all := newSeries()
	for _, p := range parts {
		all.join(p.Series)
	}
	res.Width, res.Intervals = all.Width.Seconds(), all.intervals()
	for _, pid := range r.PID {
		name, err := proc.Name(pid)
		if err != nil {
			name = "ended"
		}
		res.Programs = append(res.Programs, fmt.Sprintf("%s (%d)", name, pid))
	}
	r.rates(res, parts)
	for _, name := range counters {
		sum := uint64(0)
		for _, p := range parts {
			sum += p.Counters[name]
		}
		res.Figures = append(res.Figures, Figure{name, float64(sum), ""})
	}
	for i, p := range parts {
		res.Findings.Add(p.Findings)
		for why, n := range p.Refusals {
			res.Refusals[why] += n
		}
		for _, problem := range p.Problems {
			if len(parts) > 1 {
				problem = fmt.Sprintf("process %d: %s", i, problem)
			}
			res.Problems = append(res.Problems, problem)
		}
	}
	for _, name := range distributions {
		var sum *hdrhistogram.Histogram
		for _, p := range parts {
			h, err := meter.Decode(p.Latency[name])
			if err != nil {
				return nil, err
			}
			if sum == nil {
				sum = h
			} else {
				sum.Merge(h)
			}
		}
		res.Latency = append(res.Latency, Latency{name, meter.Summarise(sum), meter.BarsOf(sum)})
	}
	if !res.Findings.Clean() {
		res.Problems = append(res.Problems, fmt.Sprintf("promises were broken: %+v", res.Findings))
	}
	return res, nil
}

// rates tells what was offered and done while it was measured, and what the server's processes used for it.
func (r *Run) rates(res *Result, parts []part) {
	var offered, answered, events float64
	for _, p := range parts {
		offered += float64(p.Ends[1].Offered - p.Ends[0].Offered)
		answered += float64(p.Ends[1].Answered - p.Ends[0].Answered)
		events += float64(p.Ends[1].Events - p.Ends[0].Events)
	}
	if res.Measured <= 0 {
		return
	}
	res.Figures = append(res.Figures, Figure{"mutations offered", offered / res.Measured, "/s"},
		Figure{"mutations that took place", answered / res.Measured, "/s"}, Figure{"events taken by clients", events / res.Measured, "/s"})
	if len(r.PID) == 0 {
		return
	}
	cpu := (r.ends[1].Usage.CPU - r.ends[0].Usage.CPU).Seconds()
	res.Figures = append(res.Figures, Figure{"server processor time", cpu, "s"},
		Figure{"server memory", float64(r.ends[1].Usage.Resident) / (1 << 20), "MiB"})
	if cpu > 0 {
		res.Figures = append(res.Figures, Figure{"deliveries per core and second", events / cpu, ""})
	}
}
