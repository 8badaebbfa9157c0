package scenario

import (
	"context"
	"fmt"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/pace"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/setup"
)

// Fanout has few who send and many who read.
type Fanout struct {
	Channels int     `help:"Channels; the connections are spread over them." default:"1"`
	Rate     float64 `help:"Messages a second, of all processes together." default:"5"`
	Bytes    int     `help:"Bytes of a message's text." default:"100"`
	Senders  int     `help:"Members of each channel that send in turn." default:"4"`
	Slow     int     `help:"Connections besides that follow the first channel and read nothing." default:"0"`
}

// Run implements Scenario.
func (s *Fanout) Run(ctx context.Context, r *run.Run) error {
	if s.Channels < 1 || s.Rate <= 0 || s.Bytes < crowd.MarkBytes || s.Senders < 1 || s.Slow < 0 {
		return fmt.Errorf("--channels and --senders must be at least 1, --slow at least 0, --rate positive, --bytes at least %d", crowd.MarkBytes)
	}
	channels, err := run.Channels(ctx, r, func(users int) []setup.Channel {
		out := make([]setup.Channel, s.Channels)
		for i := range users {
			c := &out[i%len(out)]
			c.Members = append(c.Members, i)
		}
		for i := range out {
			out[i].Name = fmt.Sprintf("fanout-%s-%d", r.Tag(), i)
			if len(out[i].Members) == 0 {
				out[i].Members = []int{i % users}
			}
		}
		return out
	})
	if err != nil {
		return err
	}
	r.Crowd = r.NewCrowd()
	senders := make([][]*crowd.Member, s.Channels)
	for i := range r.Share(r.Connections) {
		a := i % len(r.Accounts)
		c := r.Number(a) % s.Channels // as it was made a member
		m := r.Crowd.Add(r.Accounts[a], events(channels[c:c+1])...)
		if len(senders[c]) < s.Senders {
			senders[c] = append(senders[c], m)
		}
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	slow, err := connectSlow(ctx, r, s.Slow, events(channels[:1]))
	if err != nil {
		return err
	}
	defer slow.close()
	return r.Measure(ctx, func(ctx context.Context) error {
		load := pace.Load{PerSecond: s.Rate / float64(r.Peers.Of), Poisson: true, Seed: r.Seed + uint64(r.Peers.Index)}
		n := 0
		_, err := load.Run(ctx, func(due time.Time) {
			n++
			if all := senders[n%s.Channels]; len(all) > 0 {
				all[n/s.Channels%len(all)].Send(channels[n%s.Channels], due, s.Bytes)
			}
		})
		return err
	})
}
