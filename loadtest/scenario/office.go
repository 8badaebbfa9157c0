package scenario

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/pace"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/setup"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Office is a company's channels and what its people do in them.
type Office struct {
	Sizes  []string `help:"Channels as SIZE:EACH: each person is a member of EACH channels of SIZE people. The default is a company's: everybody, departments, teams, pairs." default:"10000:1,100:1,10:2,2:2"`
	Open   int      `help:"Channels that each connection has open: one of each size, the smaller ones first, then more of them." default:"4"`
	Mine   bool     `help:"Each connection follows its bundle and its own topic, too." default:"true" negatable:""`
	Rate   float64  `help:"Actions a second, of all processes together." default:"200"`
	Sends  float64  `help:"Share of actions that are messages." default:"0.55"`
	Edits  float64  `help:"Share that edits one's last message." default:"0.03"`
	Reacts float64  `help:"Share that are reactions." default:"0.12"`
	Reads  float64  `help:"Share that moves a read marker." default:"0.2"`
	Types  float64  `help:"Share that says that one types." default:"0.1"`
	Bytes  int      `help:"Median bytes of a message." default:"80"`
}

// publicFrom is the size from which a channel is public: what is said there may be named as a cause elsewhere.
const publicFrom = 100

// person is one connection of the office.
type person struct {
	m        *crowd.Member
	channels []seat // that it has open
}

// seat is a place in a channel.
type seat struct {
	id     string
	size   int     // its people
	weight float64 // how much is done there, of all that the person does
}

// sit chooses n of a person's channels, of which the plan has the big ones first: the last of each size, from the smallest up, then the last
// of each but those, and so on. The larger a channel, the less each of its people does there: by the root of its size.
func sit(all []seat, n int) []seat {
	var chosen []seat
	left := slices.Clone(all)
	for len(chosen) < n && len(left) > 0 {
		size := 0
		var others []seat
		for i := len(left) - 1; i >= 0; i-- {
			if left[i].size != size && len(chosen) < n {
				chosen, size = append(chosen, left[i]), left[i].size
			} else {
				others = append(others, left[i])
			}
		}
		slices.Reverse(others)
		left = others
	}
	sum := 0.0
	for _, c := range chosen {
		sum += 1 / math.Sqrt(float64(c.size))
	}
	for i, c := range chosen {
		chosen[i].weight = 1 / math.Sqrt(float64(c.size)) / sum
	}
	return chosen
}

// choose is where a person does the next thing.
func (p person) choose(random *rand.Rand) string {
	at := random.Float64()
	for _, c := range p.channels {
		if at -= c.weight; at < 0 {
			return c.id
		}
	}
	return p.channels[len(p.channels)-1].id
}

// open makes the channels and the crowd.
func (o *Office) open(ctx context.Context, r *run.Run) ([]person, error) {
	kinds, err := parseSizes(o.Sizes)
	if err != nil {
		return nil, err
	}
	if !(o.Rate > 0) || o.Bytes > maxBytes || o.Bytes < crowd.MarkBytes || o.Open < 1 {
		return nil, fmt.Errorf("--rate must be positive, --open at least 1, --bytes at least %d", crowd.MarkBytes)
	}
	if err := o.checkShares(); err != nil {
		return nil, err
	}
	var plan []setup.Channel
	ids, err := run.Channels(ctx, r, func(users int) []setup.Channel {
		plan = channelPlan(kinds, users, r.Tag())
		return plan
	})
	if err != nil {
		return nil, err
	}
	if plan == nil { // made in process 0; it is the same for the same number of accounts
		plan = channelPlan(kinds, r.AllAccounts(), r.Tag())
	}
	mine := make([][]seat, r.AllAccounts())
	for i, c := range plan {
		for _, u := range c.Members {
			mine[u] = append(mine[u], seat{id: ids[i], size: len(c.Members)})
		}
	}
	r.Crowd = r.NewCrowd()
	people := make([]person, r.Share(r.Connections))
	for i := range people {
		a := i % len(r.Accounts)
		open := sit(mine[r.Number(a)], o.Open)
		var wants []*edgev1.Want
		for _, c := range open {
			wants = append(wants, &edgev1.Want{Topic: crowd.Channel(c.id), Mode: edgev1.Mode_MODE_EVENTS})
		}
		if o.Mine {
			wants = append(wants, bundle(), &edgev1.Want{Topic: "chat.user/me", Mode: edgev1.Mode_MODE_EVENTS})
		}
		people[i] = person{r.Crowd.Add(r.Accounts[a], wants...), open}
	}
	return people, nil
}

// checkShares: what is left of 1 is people who look and do nothing.
func (o *Office) checkShares() error {
	sum := 0.0
	for _, share := range []float64{o.Sends, o.Edits, o.Reacts, o.Reads, o.Types} {
		if !(share >= 0) { // nor a NaN
			return errors.New("--sends, --edits, --reacts, --reads and --types must not be negative")
		}
		sum += share
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("--sends, --edits, --reacts, --reads and --types are shares of all actions: together at most 1, not %.3g", sum)
	}
	return nil
}

type kind struct{ size, each int }

func parseSizes(sizes []string) ([]kind, error) {
	if len(sizes) == 0 {
		return nil, errors.New("--sizes is empty")
	}
	var out []kind
	for _, s := range sizes {
		size, each, _ := strings.Cut(s, ":")
		n, err1 := strconv.Atoi(size)
		m, err2 := strconv.Atoi(each)
		if errors.Join(err1, err2) != nil || n < 1 || n > 50_000 || m < 1 || m > 5000 {
			return nil, fmt.Errorf("--sizes %q is not SIZE:EACH, for instance 10:2", s)
		}
		out = append(out, kind{n, m})
	}
	return out, nil
}

// channelPlan spreads the people over the channels so that each is a member of as many as it says, and neighbours in one kind are
// not neighbours in the next.
func channelPlan(kinds []kind, users int, tag string) (out []setup.Channel) {
	for k, kind := range kinds {
		for round := range kind.each {
			stride := coprime(users, 7*k+13*round+1)
			for first := 0; first < users; first += kind.size {
				c := setup.Channel{Name: fmt.Sprintf("office-%s-%d-%d-%d", tag, k, round, first), Public: kind.size >= publicFrom}
				for i := first; i < min(first+kind.size, users); i++ {
					c.Members = append(c.Members, i*stride%users)
				}
				out = append(out, c)
			}
		}
	}
	return out
}

// coprime returns the first number from n on that shares no factor with users.
func coprime(users, n int) int {
	gcd := func(a, b int) int {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	for gcd(users, n) != 1 {
		n++
	}
	return n
}

// work lets people act until ctx ends.
func (o *Office) work(ctx context.Context, r *run.Run, people []person) error {
	random := rand.New(rand.NewPCG(r.Seed, uint64(r.Peers.Index)))
	load := pace.Load{PerSecond: o.Rate / float64(r.Peers.Of), Poisson: true, Seed: r.Seed + uint64(r.Peers.Index)}
	_, err := load.Run(ctx, func(due time.Time) {
		p := people[random.IntN(len(people))]
		channel := p.choose(random)
		at := random.Float64()
		for _, a := range []struct {
			share float64
			do    func(person, string, time.Time, *rand.Rand)
		}{{o.Sends, o.send}, {o.Edits, o.edit}, {o.Reacts, react}, {o.Reads, read}, {o.Types, types}} {
			if at -= a.share; at < 0 {
				a.do(p, channel, due, random)
				return
			}
		}
	})
	return err //nolint:wrapcheck // Measure does
}

// send posts a message of a log-normal size, in answer to what its author saw last elsewhere.
func (o *Office) send(p person, channel string, due time.Time, random *rand.Rand) {
	size := min(int(float64(o.Bytes)*math.Exp(random.NormFloat64())), 8<<10)
	var causes []*chatv1.Dependency
	other := crowd.Channel(p.channels[random.IntN(len(p.channels))].id)
	if seen, cursor := p.m.Seen(other); seen > 0 && other != crowd.Channel(channel) {
		causes = append(causes, &chatv1.Dependency{Topic: other, Cursor: &edgev1.Cursor{Epoch: cursor.GetEpoch(), Offset: seen}})
	}
	p.m.Send(channel, due, size, causes...)
}

func (o *Office) edit(p person, channel string, due time.Time, _ *rand.Rand) {
	if own := p.m.Own(crowd.Channel(channel)); own > 0 {
		p.m.Mutate(due, chatv1.ChatService_EditMessage_FullMethodName[1:], &chatv1.EditMessageRequest{
			Channel: channel, Offset: own, Text: "edited " + due.Format(time.RFC3339Nano),
		})
	}
}

var emoji = []string{"👍", "🎉", "❤️", "👀", "✅"}

func react(p person, channel string, due time.Time, random *rand.Rand) {
	if seen, _ := p.m.Seen(crowd.Channel(channel)); seen > 0 {
		p.m.Mutate(due, chatv1.ChatService_AddReaction_FullMethodName[1:], &chatv1.AddReactionRequest{
			Channel: channel, Offset: seen, Emoji: emoji[random.IntN(len(emoji))],
		})
	}
}

func read(p person, channel string, due time.Time, _ *rand.Rand) {
	if seen, _ := p.m.Seen(crowd.Channel(channel)); seen > 0 {
		p.m.Mutate(due, chatv1.ChatService_MarkRead_FullMethodName[1:], &chatv1.MarkReadRequest{Channel: channel, Offset: seen})
	}
}

func types(p person, channel string, _ time.Time, _ *rand.Rand) {
	p.m.Signal(crowd.Channel(channel), "typing", nil)
}
