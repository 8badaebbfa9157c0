package bench

import (
	"context"
	"fmt"
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
			// 160 KB a second: what the kernel buffers for a slow reader, some 4 MB, is full after half of the time.
			res, err := s.load(ctx, "fanout", "-n", "1000", "--rate", "20", "--bytes", "8000", "--duration", "45s", "--slow", strconv.Itoa(slow))
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
		if err != nil {
			return nil, err
		}
		given, err := figure(results[2], "slow readers that the server gave up")
		if err != nil {
			return nil, err
		}
		if given < crowd {
			return nil, fmt.Errorf("the server gave up %v of %d slow readers: what waited for the others was not bounded, or never came to its bound", given, crowd)
		}
		return []sample{{value: beside / without}, {value: (resident(results[2]) - resident(results[0])) / crowd / 1024}}, nil
	}}
}

// resident is the median over the last third of what was measured of the server's memory, in bytes.
func resident(r *run.Result) float64 {
	var all []float64
	from := r.Window[0] + (r.Window[1]-r.Window[0])*2/3
	for _, i := range r.Intervals {
		if i.At >= from && i.At < r.Window[1] && len(i.Processes) > 0 {
			all = append(all, float64(i.Processes[0].Resident))
		}
	}
	return median(all)
}
