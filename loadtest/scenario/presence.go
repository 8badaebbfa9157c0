package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"plenum.internal/loadtest/internal/census"
	"plenum.internal/loadtest/internal/meter"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
	"plenum.internal/loadtest/internal/run"
)

// Presence has people look at each other, while they come and go, do nothing, and choose how to be seen.
type Presence struct {
	Sizes     []string      `help:"Channels as SIZE:EACH: each person is a member of EACH channels of SIZE people." default:"200:1,20:2"`
	Screen    int           `help:"People whom each looks at, of those with whom it shares a channel, the smaller ones first; of several --processes, those of the same. 0: nobody." default:"50"`
	Outsiders int           `help:"People besides whom each asks for and shares no channel with: it must be told nothing of them." default:"2"`
	Follow    int           `help:"Channels that each follows, too, with the heads of all of its own and what is for it alone, as a client does. 0: none of that."`
	Rooms     float64       `help:"Share of the people who look at their largest channel, too." default:"0.1"`
	Window    int           `help:"Members of it that each of them is shown." default:"50"`
	Status    float64       `help:"Choices a second of how to be seen, of all processes together." default:"10"`
	Invisible float64       `help:"Share of the choices that is to be invisible." default:"0.1"`
	Idle      float64       `help:"Share of the people who have done nothing for long when they come." default:"0.1"`
	Wake      float64       `help:"How many of them do something again each second, of all processes together." default:"0.2"`
	Churn     float64       `help:"Share of the people whose connection breaks each second, and who come back." default:"0.005"`
	Pause     time.Duration `help:"How long they stay away at most." default:"70s"`
	Quit      float64       `help:"Share of them who never come back." default:"0.1"`
	Rest      time.Duration `help:"How long the server rests before anybody connects, so that its memory before and after can be compared."`
	After     time.Duration `help:"When, since measuring began, what follows happens." default:"5s"`
	Storm     time.Duration `help:"All connections break, and come back within this time. 0: they don't."`
	Kill      int           `help:"Kill this process by SIGKILL: one of several gateways, or of presence, on this machine." placeholder:"PID"`
	Stay      float64       `help:"Share of the people who don't come back if they lose the connection by that."`
	Unplug    int           `help:"People of each process who fall silent without ending the connection, as one whose machine loses power."`
	census.Bounds
}

// Limits of the scenario.
const (
	screenMost = 500
	windowMost = 200
	longIdle   = 10 * time.Minute // more than anybody's idle time, less than from which on a session counts no more
	openMost   = time.Minute      // until all views are open
)

// Validate names the first flag that cannot be.
func (s *Presence) Validate() error {
	switch {
	case s.Screen < 0 || s.Outsiders < 0 || s.Screen+s.Outsiders > screenMost:
		return fmt.Errorf("--screen and --outsiders must not be negative, and together at most %d", screenMost)
	case s.Follow < 0:
		return errors.New("--follow must not be negative")
	case s.Window < 0 || s.Window > windowMost:
		return fmt.Errorf("--window must be 0 to %d", windowMost)
	case !(s.Status >= 0) || !(s.Wake >= 0) || !(s.Churn >= 0) || s.Churn > churnMost:
		return fmt.Errorf("--status and --wake must not be negative, and --churn must be 0 to %g", churnMost)
	case s.Storm < 0 || s.Pause <= 0 || s.After < 0 || s.Rest < 0 || s.Kill < 0 || s.Unplug < 0:
		return errors.New("--storm, --after, --rest, --kill and --unplug must not be negative, and --pause more than 0")
	case s.Storm > 0 && s.Kill > 0:
		return errors.New("--storm and --kill are two tests: choose one")
	}
	for _, share := range []float64{s.Rooms, s.Invisible, s.Idle, s.Quit, s.Stay} {
		if !(share >= 0) || share > 1 {
			return errors.New("--rooms, --invisible, --idle, --quit and --stay are shares: 0 to 1")
		}
	}
	_, err := parseSizes(s.Sizes)
	return errors.Join(err, s.Bounds.Validate())
}

// strikes tells whether anything happens at --after.
func (s *Presence) strikes() bool { return s.Storm > 0 || s.Kill > 0 || s.Unplug > 0 }

// Run implements Scenario.
func (s *Presence) Run(ctx context.Context, r *run.Run) error {
	switch {
	case r.AllAccounts() < r.Connections:
		return fmt.Errorf("each person needs an account: there are %d for %d connections", r.AllAccounts(), r.Connections)
	case s.strikes() && s.After >= r.Duration:
		return errors.New("--after must be less than --duration")
	case !r.Reconnect:
		return errors.New("clients must --reconnect")
	case s.Unplug > 0 && r.Transport != "websocket":
		return errors.New("--unplug needs --transport websocket")
	}
	o := &onlookers{Presence: s, r: r}
	if err := o.gather(ctx); err != nil {
		return err
	}
	checking, stop := context.WithCancel(ctx)
	defer stop()
	var checks sync.WaitGroup
	checks.Go(func() { o.check(checking) })
	select {
	case <-time.After(s.Rest):
	case <-ctx.Done():
	}
	before, err := used(r.PID)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	r.Crowd.WaitOpen(ctx, openMost)
	if _, err := peers.Gather(ctx, r.Peers, "open", true); err != nil {
		return err
	}
	var ends [2]census.Findings
	err = r.Measure(ctx, func(ctx context.Context) error {
		from := time.AfterFunc(r.Warmup, func() { ends[0] = o.census.Findings() })
		defer from.Stop()
		struck := make(chan error, 1)
		go func() { struck <- o.strike(ctx) }()
		err := errors.Join(o.work(ctx), <-struck)
		ends[1] = o.census.Findings()
		return err
	})
	if err != nil {
		return err
	}
	if s.Rest > 0 {
		if err := o.memory(before); err != nil {
			return err
		}
	}
	o.settle(ctx)
	stop()
	checks.Wait()
	if err := o.compare(ctx); err != nil {
		return err
	}
	o.clear(ctx)
	return o.tell(ctx, ends)
}

// memory tells what each of the server's programs holds for a connection beyond what it held before.
func (o *onlookers) memory(before map[string]proc.Usage) error {
	after, err := used(o.r.PID)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		o.r.Figure("memory of "+name+" for each connection", float64(after[name].Resident-before[name].Resident)/float64(o.r.Connections)/1024, "KiB")
	}
	return nil
}

// found is what one process found.
type found struct {
	Findings census.Findings
	Ends     [2]census.Findings // as measuring began and ended
	Views    int
	Latency  [2][]byte // until somebody was seen as gone, and for how long somebody was unknown
	Strike   strike
}

// tell adds up what the processes found, and says what was broken.
func (o *onlookers) tell(ctx context.Context, ends [2]census.Findings) error {
	r := o.r
	mine := found{Findings: o.census.Findings(), Ends: ends, Views: o.views, Strike: o.struck}
	for i, l := range []*meter.Latency{o.census.Gone, o.census.Unknown} {
		var err error
		if mine.Latency[i], err = meter.Encode(l.Total()); err != nil {
			return err //nolint:wrapcheck // says it all
		}
	}
	all, err := peers.Gather(ctx, r.Peers, "presence", mine)
	if err != nil || r.Peers.Index > 0 {
		return err //nolint:wrapcheck // says it all
	}
	var sum census.Findings
	var frames, told, views float64
	var latency [2]*hdrhistogram.Histogram
	struck := strike{Used: all[0].Strike.Used}
	for _, f := range all {
		sum.Add(f.Findings)
		frames += float64(f.Ends[1].Frames - f.Ends[0].Frames)
		told += float64(f.Ends[1].Told - f.Ends[0].Told)
		views += float64(f.Views)
		struck.add(f.Strike)
		for i := range latency {
			h, err := meter.Decode(f.Latency[i])
			if err != nil {
				return err //nolint:wrapcheck // says it all
			}
			if latency[i] == nil {
				latency[i] = h
			} else {
				latency[i].Merge(h)
			}
		}
	}
	took, _ := r.Measured()
	r.Figure("views", views, "")
	r.Figure("entries told", told/took.Seconds(), "/s")
	r.Figure("updates told", frames/took.Seconds(), "/s")
	if views > 0 {
		r.Figure("updates of each view", frames/took.Seconds()/views, "/s")
	}
	for i, name := range []string{"seen as gone", "unknown"} {
		if s := meter.Summarise(latency[i]); s.Count > 0 {
			r.Figure(name, float64(s.Count), "times")
			r.Figure(name+" after, half of them", float64(s.P50)/1e6, "s")
			r.Figure(name+" after, at most", float64(s.Max)/1e6, "s")
		}
	}
	struck.tell(r)
	if !sum.Clean() {
		r.Fail("presence was told wrongly: %s", sum.String())
		for _, e := range sum.Examples {
			r.Fail("for instance: %s", e)
		}
	}
	return nil
}
