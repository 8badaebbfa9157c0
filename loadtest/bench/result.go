package bench

import (
	"fmt"

	"plenum.internal/loadtest/internal/run"
)

// figure finds a number of a result.
func figure(r *run.Result, name string) (float64, error) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value, nil
		}
	}
	return 0, fmt.Errorf("the load test told no %q", name)
}

// p99 is a quantile of a kind of latency, in ms.
func p99(r *run.Result, name string) (float64, error) {
	for _, l := range r.Latency {
		if l.Name == name && l.Count > 0 {
			return float64(l.P99) / 1000, nil
		}
	}
	return 0, fmt.Errorf("the load test measured no latency %q", name)
}

// latency is the p99 of both results.
func latency(plenum, control *run.Result, name string) (s sample, err error) {
	if s.value, err = p99(plenum, name); err != nil {
		return s, err
	}
	if s.control, err = p99(control, name); err != nil {
		return s, fmt.Errorf("control: %w", err)
	}
	return s, nil
}
