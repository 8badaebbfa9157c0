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

const (
	maxSlow  = 1000
	maxBytes = 1 << 20 // as a message of the protocol
)

// Fanout has few who send and many who read.
type Fanout struct {
	Channels int     `help:"Channels; the connections are spread over them." default:"1"`
	Rate     float64 `help:"Messages a second, of all processes together." default:"5"`
	Bytes    int     `help:"Bytes of a message's text." default:"100"`
	Senders  int     `help:"Members of each channel that send in turn; the server takes some 20 messages a second of each person." default:"4"`
	Slow     int     `help:"Connections besides that follow the first channel and read nothing." default:"0"`
}

// Run implements Scenario.
func (s *Fanout) Run(ctx context.Context, r *run.Run) error {
	if s.Channels < 1 || s.Channels > r.AllAccounts() || !(s.Rate > 0) || s.Bytes < crowd.MarkBytes || s.Bytes > maxBytes || s.Senders < 1 || s.Slow < 0 || s.Slow > maxSlow {
		return fmt.Errorf("--channels must be 1 to %d, a member for each; --senders at least 1, --slow 0 to %d, --rate positive, --bytes %d to %d",
			r.AllAccounts(), maxSlow, crowd.MarkBytes, maxBytes)
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
		var here []int // channels with a sender in this process
		for c := range senders {
			if len(senders[c]) > 0 {
				here = append(here, c)
			}
		}
		n := 0
		_, err := load.Run(ctx, func(due time.Time) {
			n++
			c := here[n%len(here)]
			senders[c][n/len(here)%len(senders[c])].Send(channels[c], due, s.Bytes)
		})
		return err
	})
}
