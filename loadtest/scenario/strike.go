package scenario

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"plenum.internal/loadtest/internal/proc"
	"plenum.internal/loadtest/internal/run"
)

// strike is what came of what happens once, at --after.
type strike struct {
	Lost  int                   // connections
	Away  int                   // people who were to come back, and did not
	Back  time.Duration         // until the last of them was
	Known time.Duration         // until nobody was unknown to anybody any more; 0: nobody ever was
	Used  map[string]proc.Usage // by each of the server's programs, until all were back
}

const (
	knownEvery = 100 * time.Millisecond // it is looked whether everybody is known
	knownFor   = 3 * time.Second        // everybody must be, before that is over
)

// strike waits for --after, and has happen what is to.
func (o *onlookers) strike(ctx context.Context) error {
	if !o.strikes() {
		return nil
	}
	select {
	case <-time.After(o.r.Warmup + o.After):
	case <-ctx.Done():
		return nil
	}
	random := rand.New(rand.NewPCG(o.r.Seed+uint64(o.r.Peers.Index), 4))
	before, err := used(o.r.PID)
	if err != nil {
		return err
	}
	begin, dropped := time.Now(), o.r.Crowd.Dropped.Load()
	if o.Kill > 0 {
		err = o.kill(begin, random)
	} else if o.Storm > 0 {
		for _, x := range o.people {
			if x.Here() {
				o.struck.Lost++
				go x.Pause(time.Duration(random.Int64N(int64(o.Storm))))
			}
		}
	}
	if err != nil {
		return err
	}
	for _, i := range random.Perm(len(o.people))[:min(o.Unplug, len(o.people))] {
		o.people[i].Die()
	}
	return o.recover(ctx, begin, dropped, before)
}

// kill ends a process, in the first of ours.
func (o *onlookers) kill(now time.Time, random *rand.Rand) error {
	name, err := proc.Name(o.Kill)
	if err != nil {
		return fmt.Errorf("--kill %d: %w", o.Kill, err)
	}
	if name == "presence" {
		o.census.Struck(now)
	}
	for _, x := range o.people {
		if random.Float64() < o.Stay {
			x.Stay()
		}
	}
	if o.r.Peers.Index > 0 {
		return nil
	}
	if err := syscall.Kill(o.Kill, syscall.SIGKILL); err != nil {
		return fmt.Errorf("--kill %d: %w", o.Kill, err)
	}
	return nil
}

// recover waits until all are back and known.
func (o *onlookers) recover(ctx context.Context, begin time.Time, dropped uint64, before map[string]proc.Usage) error {
	s := &o.struck
	for tick := time.NewTicker(knownEvery); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		now := time.Now()
		if !o.census.Known() {
			s.Known = now.Sub(begin)
		}
		if o.r.Crowd.Away() > 0 {
			s.Back = now.Sub(begin)
		}
		if now.Sub(begin) > max(o.Storm, s.Known, s.Back)+knownFor || ctx.Err() != nil {
			tick.Stop()
			break
		}
	}
	s.Away = o.r.Crowd.Away()
	s.Lost = max(s.Lost, int(o.r.Crowd.Dropped.Load()-dropped))
	after, err := used(o.r.PID)
	if err != nil {
		fmt.Fprintf(o.r.Log, "what the server used is not known: %v\n", err) // it has lost the process that was killed
		return nil
	}
	s.Used = map[string]proc.Usage{}
	for name, u := range after {
		s.Used[name] = proc.Usage{CPU: u.CPU - before[name].CPU, Resident: u.Resident - before[name].Resident}
	}
	return nil
}

// used is what each program has used so far.
func used(pids []int) (map[string]proc.Usage, error) {
	each, err := proc.Each(pids)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the process
	}
	sum := map[string]proc.Usage{}
	for i, pid := range pids {
		name, err := proc.Name(pid)
		if err != nil {
			return nil, err //nolint:wrapcheck // names the file
		}
		sum[name] = proc.Sum([]proc.Usage{sum[name], each[i]})
	}
	return sum, nil
}

// add takes in what another process found.
func (s *strike) add(o strike) {
	s.Lost, s.Away = s.Lost+o.Lost, s.Away+o.Away
	s.Back, s.Known = max(s.Back, o.Back), max(s.Known, o.Known)
}

// tell adds figures of it to the result.
func (s *strike) tell(r *run.Run) {
	if s.Lost+s.Away > 0 {
		r.Figure("connections that broke", float64(s.Lost), "")
		r.Figure("back within", s.Back.Seconds(), "s")
	}
	if s.Away > 0 {
		r.Fail("%d of the people who lost their connections are not back at the end: --duration %v is too short, or the server too slow", s.Away, r.Duration)
	}
	if s.Known > 0 {
		r.Figure("all known again within", s.Known.Seconds(), "s")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Used)) {
		r.Figure("processor time of "+name+" meanwhile", s.Used[name].CPU.Seconds(), "s")
	}
}
