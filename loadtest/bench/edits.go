package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"plenum.internal/loadtest/internal/run"
)

// edits are the bars of documents that are edited over the gateway.
func edits() []group {
	return []group{
		{"docs/50", []goal{
			{"p99 of an edit acknowledged, 50 editors of one document, 5 edits/s each", "ms", lower, 20},
			{"p99 of it seen by the 49 others", "ms", lower, 60},
		}, edited(50, "--editors", "50", "--rate", "5")},
		{"docs/cluster", []goal{
			{"p99 of an edit acknowledged, 50 editors, 5 edits/s each, in a cluster on PostgreSQL", "ms", lower, 20},
			{"p99 of it seen by the 49 others, in a cluster on PostgreSQL", "ms", lower, 60},
		}, editedInCluster},
		{"docs/400", []goal{
			{"p99 of an edit acknowledged, 400 editors of one document, 1 edit/s each", "ms", lower, collapsed},
			{"p99 of it seen by the 399 others", "ms", lower, collapsed},
		}, edited(400, "--editors", "400", "--rate", "1")},
		{"docs/knee", []goal{{"edits a second of each of 400 editors of one document before it collapses", "/s", higher, 1}}, knee},
		{"docs/1000", []goal{ // whoever types does so 5 letters a second, some three words; then comes a pause of a minute and a half
			{"p99 of an edit acknowledged, 1,000 documents with 3 editors each", "ms", lower, 50},
			{"p99 of it seen by the 2 others", "ms", lower, 150},
		}, edited(3000, "--documents", "1000", "--editors", "3", "--rate", "0.2", "--burst", "20", "--pace", "5", "--duration", "60s")},
	}
}

// edited is the p99 of edits acknowledged and of edits seen, and those of the control.
func edited(editors int, flags ...string) func(context.Context, *lab) ([]sample, error) {
	return func(ctx context.Context, l *lab) ([]sample, error) {
		plenum, control, err := l.both(ctx, editors, "docs", flags...)
		if err != nil {
			return nil, err
		}
		return editLatencies(plenum, control)
	}
}

func editLatencies(plenum, control *run.Result) ([]sample, error) {
	ack, err := latency(plenum, control, "ack")
	if err != nil {
		return nil, err
	}
	deliver, err := latency(plenum, control, "deliver")
	return []sample{ack, deliver}, err
}

// editedInCluster is 50 editors of one document at the two gateways of a cluster, whose processes share the machine, too.
func editedInCluster(ctx context.Context, l *lab) (samples []sample, err error) {
	flags := []string{"--editors", "50", "--rate", "5"}
	c, err := l.startCluster(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	if err := c.seed(ctx, 50); err != nil {
		return nil, err
	}
	plenum, err := c.load(ctx, "docs", append(flags, "--address", c.gateway(2))...)
	if err != nil {
		return nil, err
	}
	beside, err := l.besides(ctx, 50, "docs", flags...)
	if err != nil {
		return nil, err
	}
	return editLatencies(plenum, beside)
}

const (
	collapsed = 1000 // ms from when an edit is due until others see it, for one of a hundred of them
	crowd     = 400
)

// knee is the greatest of some rates at which 400 editors of one document can go on: all edits are acknowledged, everybody has the same in the
// end, and what is due is seen within a second. Beyond, edits wait for longer and longer.
func knee(ctx context.Context, l *lab) ([]sample, error) {
	s, err := l.serve(ctx, crowd)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	held := 0.0
	for _, rate := range []float64{1, 2, 3, 4, 6, 8, 10, 12, 14, 16} {
		res, err := s.load(ctx, "docs", "--editors", strconv.Itoa(crowd), "--rate", fmt.Sprint(rate), "--warmup", "3s", "--duration", "15s")
		if ctx.Err() != nil {
			return nil, ctx.Err() //nolint:wrapcheck // the bench was stopped
		}
		if err != nil {
			fmt.Fprintf(l.log, "at %g edits/s each: %v\n", rate, err)
			break
		}
		late, err := p99(res, "deliver")
		if err != nil {
			return nil, err
		}
		if late > collapsed {
			break
		}
		held = rate
	}
	return []sample{{value: held}}, nil
}
