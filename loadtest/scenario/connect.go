package scenario

import (
	"context"
	"errors"
	"fmt"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/setup"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Connect signs in at a rate, or as a storm with --ramp 0.
type Connect struct {
	Topics int    `help:"Channels that each opens with its log-in." default:"20"`
	With   string `help:"What each signs in with: a valid token, a refresh just before, or its password, which queues." enum:"token,refresh,password" default:"token"`
	Warm   bool   `help:"Every account connects once before, with a valid token, and leaves: what a storm of reconnecting meets. Else most are seen for the first time."`
}

// Run implements Scenario.
func (s *Connect) Run(ctx context.Context, r *run.Run) error {
	if s.Topics < 0 {
		return errors.New("--topics must not be negative")
	}
	if s.With != "token" && r.AllAccounts() < r.Connections {
		return fmt.Errorf("--with %s needs an account for each of %d connections: there are %d", s.With, r.Connections, r.AllAccounts())
	}
	channels, err := shared(ctx, r, "connect", s.Topics)
	if err != nil {
		return err
	}
	if s.Warm {
		before := r.NewCrowd()
		for _, a := range r.Accounts {
			before.Add(a, events(channels)...)
		}
		if err := r.Rehearse(ctx, before); err != nil {
			return err
		}
	}
	r.Crowd = r.NewCrowd()
	if s.With != "token" {
		r.Crowd.SignIn = map[string]crowd.SignIn{"refresh": r.API.Renew, "password": r.API.SignIn}[s.With]
	}
	for i := range r.Share(r.Connections) {
		r.Crowd.Add(r.Accounts[i%len(r.Accounts)], events(channels)...)
	}
	if err := r.MeasureConnect(ctx); err != nil {
		return err
	}
	all, err := peers.Gather(ctx, r.Peers, "made", r.Crowd.Connected())
	if err != nil {
		return err //nolint:wrapcheck // says it all
	}
	made := 0
	for _, n := range all {
		made += n
	}
	d, cpu := r.Measured()
	if len(r.PID) > 0 && made > 0 {
		r.Figure("server processor time for each connection", cpu.Seconds()*1e6/float64(made), "us")
	}
	r.Figure("connections offered", r.Ramp, "/s") // 0: all at once
	r.Figure("connections made", float64(made)/d.Seconds(), "/s")
	if made == r.Connections {
		r.Figure("all connected within", d.Seconds(), "s")
	}
	return nil
}

// shared makes n channels that all accounts of the run are members of.
func shared(ctx context.Context, r *run.Run, name string, n int) ([]string, error) {
	return run.Channels(ctx, r, func(users int) []setup.Channel {
		out := make([]setup.Channel, n)
		for i := range out {
			out[i].Name = fmt.Sprintf("%s-%s-%d", name, r.Tag(), i)
			for j := range users { // each has another owner: rates are limited for each
				out[i].Members = append(out[i].Members, (i+j)%users)
			}
		}
		return out
	})
}

func events(channels []string) []*edgev1.Want {
	wants := make([]*edgev1.Want, len(channels))
	for i, c := range channels {
		wants[i] = &edgev1.Want{Topic: crowd.Channel(c), Mode: edgev1.Mode_MODE_EVENTS}
	}
	return wants
}

func bundle() *edgev1.Want {
	return &edgev1.Want{Topic: "chat.mine/me", Mode: edgev1.Mode_MODE_HEADS}
}
