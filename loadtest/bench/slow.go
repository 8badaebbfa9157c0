package bench

import (
	"context"
	"strconv"

	"plenum.internal/loadtest/internal/run"
)

// slow is what readers who read nothing do to 1,000 others, and to the server. The control runs beside on the same server have none.
func slow() group {
	goals := []goal{
		{"p99 of 1,000 beside a slow reader, to that without one", "x", lower, 1.2},
		{"memory of a slow reader", "KiB", lower, 256}, // limits.queue_bytes of the gateway
	}
	return group{"slow", goals, func(ctx context.Context, l *lab) ([]sample, error) {
		s, err := l.serve(ctx, 1000)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		const crowd = 100 // one's memory would be lost in the noise
		var results []*run.Result
		for _, slow := range []int{0, 1, crowd} {
			// 200 KB a second: what the kernel buffers is full after half of the time at most.
			res, err := s.load(ctx, "fanout", "-n", "1000", "--rate", "25", "--bytes", "8000", "--slow", strconv.Itoa(slow))
			if err != nil {
				return nil, err
			}
			results = append(results, res)
		}
		without, err := p99(results[0], "deliver")
		if err != nil {
			return nil, err
		}
		beside, err := p99(results[1], "deliver")
		return []sample{{value: beside / without}, {value: (resident(results[2]) - resident(results[0])) / crowd / 1024}}, err
	}}
}

// resident is the median over the measured intervals of what the server held, in bytes.
func resident(r *run.Result) float64 {
	var all []float64
	for _, i := range r.Intervals {
		if i.At >= r.Window[0] && i.At < r.Window[1] && len(i.Processes) > 0 {
			all = append(all, float64(i.Processes[0].Resident))
		}
	}
	return median(all)
}
