package run

import (
	"context"
	"fmt"
	"time"

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
	ctx, cancel := ending(ctx)
	defer cancel()
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
	connected, closed := r.Crowd.Connected(), r.Crowd.NotOpen()
	r.Crowd.Charge(time.Now())
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
			ConnectedAtEnd: uint64(connected), "connections lost": r.Crowd.Dropped.Load(), "sends without room": r.Crowd.Unsent.Load(),
			LeftForGood:     r.Crowd.Gone.Load(),
			"sends refused": r.Crowd.Failed.Load(), "sends without an answer": uint64(unanswered), "heads told": r.Crowd.Heads.Load(), "signals told": r.Crowd.Signals.Load(), "topics not open": uint64(closed), "causes looked for": r.Crowd.Causes.Load(),
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

// LeftForGood names those who are not missed at the end.
const LeftForGood = "left for good"

// ConnectedAtEnd names a figure that is shown even where it is 0.
const ConnectedAtEnd = "connected at the end"

// counters is the order in which they are shown.
var counters = []string{LeftForGood, ConnectedAtEnd, "connections lost", "sends without room", "sends refused", "sends without an answer", "topics not open", "heads told", "signals told", "causes looked for"}

// verdict is why a counter makes the run fail, where so many left for good; empty: it doesn't. What did not take place proves nothing, and is in no latency but its own.
func (r *Run) verdict(counter string, n, left uint64) string {
	switch counter {
	case ConnectedAtEnd:
		if n+left < uint64(r.Connections) {
			return fmt.Sprintf("%d of %d connections are not there at the end", uint64(r.Connections)-left-n, uint64(r.Connections)-left)
		}
	case "sends without room":
		if n > 0 {
			return fmt.Sprintf("%d sends found their client with all of its calls unanswered: the server is too slow for this rate, or limits it for each person; more senders carry more", n)
		}
	case "sends refused", "sends without an answer", "topics not open":
		if n > 0 {
			return fmt.Sprintf("%s: %d", counter, n)
		}
	}
	return ""
}

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
	sums := map[string]uint64{}
	for _, p := range parts {
		for name, n := range p.Counters {
			sums[name] += n
		}
	}
	for _, name := range counters {
		res.Figures = append(res.Figures, Figure{name, float64(sums[name]), ""})
		if why := r.verdict(name, sums[name], sums[LeftForGood]); why != "" {
			res.Problems = append(res.Problems, why)
		}
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
	var offered, answered, events, own float64
	for _, p := range parts {
		offered += float64(p.Ends[1].Offered - p.Ends[0].Offered)
		answered += float64(p.Ends[1].Answered - p.Ends[0].Answered)
		events += float64(p.Ends[1].Events - p.Ends[0].Events)
		own += (p.Ends[1].Own - p.Ends[0].Own).Seconds()
	}
	if res.Measured <= 0 {
		return
	}
	res.Figures = append(res.Figures, Figure{"mutations offered", offered / res.Measured, "/s"},
		Figure{"mutations that took place", answered / res.Measured, "/s"}, Figure{"events taken by clients", events / res.Measured, "/s"},
		Figure{"generator processor time", own, "s"})
	if len(r.PID) == 0 || r.ends[1].Usage.Resident == 0 { // the server has ended
		return
	}
	cpu := (r.ends[1].Usage.CPU - r.ends[0].Usage.CPU).Seconds()
	res.Figures = append(res.Figures, Figure{"server processor time", cpu, "s"},
		Figure{"server memory", float64(r.ends[1].Usage.Resident) / (1 << 20), "MiB"})
	if cpu > 0 && events > 0 {
		res.Figures = append(res.Figures, Figure{"deliveries per core and second", events / cpu, ""})
	}
}
