package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/census"
	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/pace"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/setup"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// onlookers are this process's part of the people, who look at each other.
type onlookers struct {
	*Presence
	r      *run.Run
	census *census.Census
	people []*onlooker
	views  int
	struck strike
}

// onlooker is one of them.
type onlooker struct {
	*crowd.Viewer
	*census.Person

	account *account.Account
	mu      sync.Mutex // guards all below
	idle    bool       // does nothing, before it is woken
	chosen  bool       // has chosen how to be seen
}

const (
	checkEvery = time.Second
	actEvery   = time.Minute // each who is not idle does something, on average
	choiceKept = 10 * time.Minute
	clearers   = 64 // calls at the same time
)

// gather makes the channels and the people.
func (o *onlookers) gather(ctx context.Context) error {
	r := o.r
	kinds, err := parseSizes(o.Sizes)
	if err != nil {
		return err
	}
	plan := channelPlan(kinds, r.AllAccounts(), r.Tag())
	channels, err := run.Channels(ctx, r, func(int) []setup.Channel { return plan })
	if err != nil {
		return err
	}
	users, err := run.Users(ctx, r)
	if err != nil {
		return err
	}
	seats := make([][]int, r.AllAccounts()) // the channels of each, the big ones first as in the plan
	for i, c := range plan {
		for _, u := range c.Members {
			seats[u] = append(seats[u], i)
		}
	}
	r.Crowd = r.NewCrowd()
	o.census = census.New(o.Bounds, r.Tag(), r.Crowd.Deliver, time.Now())
	random := rand.New(rand.NewPCG(r.Seed, uint64(r.Peers.Index)))
	idle := make([]time.Duration, r.Share(r.Connections))
	for i := range idle {
		if random.Float64() < o.Idle {
			idle[i] = longIdle
		}
		x := &onlooker{account: r.Accounts[i], idle: idle[i] > 0, Person: o.census.Add(r.Accounts[i].User, time.Now().Add(-idle[i]))}
		o.people = append(o.people, x)
	}
	rooms := map[int]*census.Room{}
	for i, x := range o.people {
		mine := seats[r.Number(i)]
		var views []crowd.View
		if mates, outsiders := o.choose(r.Number(i), seats, plan, random); len(mates) > 0 {
			views = append(views, o.census.Look(x.Person, o.those(mates), o.those(outsiders)))
		}
		if random.Float64() < o.Rooms && len(mine) > 0 {
			c := slices.MaxFunc(mine, func(a, b int) int { return len(plan[a].Members) - len(plan[b].Members) })
			if rooms[c] == nil {
				var members []string
				for _, u := range plan[c].Members {
					members = append(members, users[u])
				}
				rooms[c] = census.NewRoom(channels[c], members)
			}
			views = append(views, o.census.LookAt(x.Person, rooms[c], &presencev1.Window{Limit: uint32(o.Window), Looking: random.IntN(2) == 0}))
		}
		o.views += len(views)
		x.Viewer = r.Crowd.AddViewer(x.account, x.Person, idle[i], o.follow(mine, channels), views...)
	}
	return nil
}

// follow is what a client does besides: it hears of all of its channels, and reads some.
func (o *onlookers) follow(mine []int, channels []string) []*edgev1.Want {
	if o.Follow == 0 {
		return nil
	}
	wants := []*edgev1.Want{bundle(), {Topic: "chat.user/me", Mode: edgev1.Mode_MODE_EVENTS}}
	for _, c := range mine[:min(o.Follow, len(mine))] {
		wants = append(wants, &edgev1.Want{Topic: crowd.Channel(channels[c]), Mode: edgev1.Mode_MODE_EVENTS})
	}
	return wants
}

// those are people by the numbers of their accounts, which are this process's.
func (o *onlookers) those(accounts []int) (all []*census.Person) {
	for _, u := range accounts {
		all = append(all, o.people[u/o.r.Peers.Of].Person)
	}
	return all
}

// choose picks whom an account looks at, among the accounts of this process: those with whom it shares a channel, the smaller ones first, and some
// others.
func (o *onlookers) choose(who int, seats [][]int, plan []setup.Channel, random *rand.Rand) (mates, outsiders []int) {
	of, index := o.r.Peers.Of, o.r.Peers.Index
	met := map[int]bool{who: true}
	for _, c := range slices.Backward(seats[who]) {
		in := plan[c].Members
		from := random.IntN(len(in))
		for n := 0; n < len(in) && len(mates) < o.Screen; n++ {
			if u := in[(from+n)%len(in)]; u%of == index && !met[u] {
				met[u] = true
				mates = append(mates, u)
			}
		}
	}
	shares := func(u int) bool {
		return slices.ContainsFunc(seats[u], func(c int) bool { return slices.Contains(seats[who], c) })
	}
	for range 20 * o.Outsiders { // there may be none
		u := o.r.Number(random.IntN(len(o.people)))
		if len(outsiders) < o.Outsiders && !met[u] && !shares(u) {
			met[u] = true
			outsiders = append(outsiders, u)
		}
	}
	return mates, outsiders
}

// check judges all that is shown each second, until ctx ends.
func (o *onlookers) check(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.census.Check(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// work has them do things until ctx ends.
func (o *onlookers) work(ctx context.Context) error {
	n, of := float64(len(o.people)), float64(o.r.Peers.Of)
	group, ctx := errgroup.WithContext(ctx)
	for job, does := range []struct {
		perSecond float64
		do        func(x *onlooker, due time.Time, random *rand.Rand)
	}{
		{o.Status / of, o.choice}, {o.Churn * n, o.leave}, {o.Wake / of, (*onlooker).wake}, {n / actEvery.Seconds(), (*onlooker).act},
	} {
		if does.perSecond == 0 {
			continue
		}
		seed := o.r.Seed + uint64(o.r.Peers.Index)
		random := rand.New(rand.NewPCG(seed, uint64(job)))
		load := pace.Load{PerSecond: does.perSecond, Poisson: true, Seed: seed + uint64(job)}
		group.Go(func() error {
			_, err := load.Run(ctx, func(due time.Time) { does.do(o.people[random.IntN(len(o.people))], due, random) })
			return err //nolint:wrapcheck // Measure does
		})
	}
	<-ctx.Done()
	return group.Wait() //nolint:wrapcheck // likewise
}

// choice has somebody choose how to be seen, unless they can't.
func (o *onlookers) choice(x *onlooker, due time.Time, random *rand.Rand) {
	if !x.Here() || x.Busy() {
		return
	}
	state := []presencev1.State{presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_AWAY, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB}[random.IntN(4)]
	if random.Float64() < o.Invisible {
		state = presencev1.State_STATE_INVISIBLE
	}
	x.mu.Lock()
	x.idle, x.chosen = false, true
	x.mu.Unlock()
	q := &presencev1.SetStatusRequest{
		User: x.ID, State: state, Custom: &presencev1.Custom{Emoji: "🛠", Text: x.Choose(state, due)},
		UntilMs: due.Add(o.r.Warmup + o.r.Duration + choiceKept).UnixMilli(), // should this run not come to its end
	}
	x.Mutate(due, presencev1.PresenceService_SetStatus_FullMethodName[1:], q, x.Chosen)
}

// leave has somebody's connection break, for a while or for good.
func (o *onlookers) leave(x *onlooker, _ time.Time, random *rand.Rand) {
	pause := time.Duration(random.Int64N(int64(o.Pause)))
	if random.Float64() < o.Quit {
		pause = crowd.Never
	}
	go x.Pause(pause)
}

// wake has somebody do something who has been idle.
func (x *onlooker) wake(time.Time, *rand.Rand) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.idle && x.Here() {
		x.idle = false
		x.Acted(x.Act())
	}
}

// act has somebody do something who is not idle.
func (x *onlooker) act(time.Time, *rand.Rand) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.idle && x.Here() {
		x.Acted(x.Act())
	}
}

// settle waits until everybody must be seen as they are.
func (o *onlookers) settle(ctx context.Context) {
	o.r.Phase("settle")
	for _, x := range o.people { // who is about to be away may be seen so already, or not: nobody could say how they are to be counted
		x.act(time.Now(), nil)
	}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for begin := time.Now(); ctx.Err() == nil; {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if o.r.Crowd.Away() > 0 && time.Since(begin) < o.Pause+openMost { // who is away for a while is to come back
			continue
		}
		if time.Since(o.census.Settled()) > 2*checkEvery {
			return
		}
	}
}

// compare holds what is shown of rooms to how everybody stands, in all processes, once all is settled.
func (o *onlookers) compare(ctx context.Context) error {
	type part struct {
		People  []census.Standing
		Looking map[string]int
	}
	now := time.Now()
	mine := part{Looking: o.census.Looking(now)}
	if o.Rooms > 0 {
		mine.People = o.census.Stand(now)
	}
	parts, err := peers.Gather(ctx, o.r.Peers, "stand", mine)
	if err != nil {
		return err //nolint:wrapcheck // says it all
	}
	var all part
	all.Looking = map[string]int{}
	for _, p := range parts {
		all.People = append(all.People, p.People...)
		for room, n := range p.Looking {
			all.Looking[room] += n
		}
	}
	o.census.Compare(all.People, all.Looking)
	o.census.End()
	return nil
}

// clear takes back what was chosen: the next run finds everybody as they are.
func (o *onlookers) clear(ctx context.Context) {
	calls := &errgroup.Group{}
	calls.SetLimit(clearers)
	for _, x := range o.people {
		if !x.chosen {
			continue
		}
		acc := o.r.Crowd.Account(x.account)
		calls.Go(func() error {
			return o.r.API.Call(ctx, acc, account.Key{}, presencev1.PresenceService_SetStatus_FullMethodName[1:], &presencev1.SetStatusRequest{User: x.ID}, &presencev1.SetStatusResponse{})
		})
	}
	if err := calls.Wait(); err != nil {
		fmt.Fprintf(o.r.Log, "not everybody's status could be taken back: it ends by itself: %v\n", err)
	}
}
