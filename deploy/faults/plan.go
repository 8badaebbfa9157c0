package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"plenum.internal/deploy/faults/versions"
)

// Kind is a way in which something fails.
type Kind string

// The kinds of faults.
const (
	Kill      Kind = "kill"      // by SIGKILL, and started again
	Stop      Kind = "stop"      // by SIGSTOP, for longer than every lease, then SIGCONT
	Freeze    Kind = "freeze"    // by the cgroup freezer, likewise
	Power     Kind = "power"     // killed without a word to its peers: its network is gone first
	Partition Kind = "partition" // some processes reach none of the others
	OneWay    Kind = "one-way"   // one process hears another no more, and is still heard by it
	Slow      Kind = "slow"      // packets between all are delayed, with jitter, and some are lost
	Cut       Kind = "cut"       // connections to the database are reset while answers to COMMIT are on their way
	Disk      Kind = "disk"      // the database's disk is full
	Skew      Kind = "skew"      // a process's clock is wrong

	// What is done to a process that owns documents, while nothing else fails: so it is known how long these stand still because of it.
	OwnerKill  Kind = "owner-kill"  // as Kill
	OwnerStop  Kind = "owner-stop"  // as Stop, for longer than this process's own lease
	OwnerDrain Kind = "owner-drain" // it is told to end, by SIGTERM, and started again
)

// kinds in a fixed order, for the sake of equal seeds.
var kinds = []Kind{Kill, Stop, Freeze, Power, Partition, OneWay, Slow, Cut, Disk, Skew, OwnerKill, OwnerStop, OwnerDrain}

// hitsProcess is true for what is done to one process itself.
func (k Kind) hitsProcess() bool {
	return k == Kill || k == Power || k == Stop || k == Freeze || k.hitsOwner()
}

// hitsOwner is true for what is done to owners of documents.
func (k Kind) hitsOwner() bool { return k == OwnerKill || k == OwnerStop || k == OwnerDrain }

// Clients is the name of the load, which partitions may cut off, too.
const Clients = "clients"

// Step is one fault of a plan.
type Step struct {
	At      time.Duration // since the load began
	For     time.Duration // then all is as before
	Kind    Kind
	Targets []string      // processes; of one-way: who hears no more, and whom
	Delay   time.Duration // of slow: the delay, and the jitter on top of it; of skew: how wrong the clock is
	Loss    float64       // of slow
}

// excludes is true for steps that can't overlap: a process fails in one way at a time, and the same fault is done once at a time.
func (s Step) excludes(o Step) bool {
	return s.Kind.hitsProcess() && o.Kind.hitsProcess() && s.Targets[0] == o.Targets[0] || s.Kind == o.Kind && slices.Equal(s.Targets, o.Targets)
}

func (s Step) String() string {
	text := fmt.Sprintf("%-11s %s", s.Kind, strings.Join(s.Targets, ", "))
	switch s.Kind {
	case OneWay:
		text = fmt.Sprintf("%-11s %s hears %s no more", s.Kind, s.Targets[0], s.Targets[1])
	case Slow:
		text = fmt.Sprintf("%-11s everything, by %v to %v, and %.0f %% is lost", s.Kind, s.Delay, 2*s.Delay, 100*s.Loss)
	case Skew:
		text += fmt.Sprintf(" by %v", s.Delay)
	}
	return text + fmt.Sprintf(", for %v", s.For.Round(100*time.Millisecond))
}

// Times of a plan.
const (
	leaseTime = 6 * time.Second // of mesh/lease, by default
	docsLease = 2 * time.Second // of processes that own documents
	warmUp    = 3 * time.Second
	quiet     = 3 * time.Second             // at most, between the end of a fault and the next
	alone     = versions.Calm + time.Second // at least, between the end of a fault and one that hits an owner of documents
)

// A schedule of long has so many owners of documents stopped, at least.
const (
	long       = 30 * time.Minute
	ownerStops = 50
)

// Plan makes a schedule from a seed: equal arguments make equal plans. All of the kinds come, in an order of the seed's, before one comes again;
// a third of the faults begin before the one before has ended. Those that hit owners of documents are alone: they begin when the others are over
// and recovered from. In a long schedule owners are also stopped out of turn. The last fault ends within length.
func Plan(seed uint64, length time.Duration, processes []string, able []Kind) []Step {
	p := planner{rand.New(rand.NewPCG(seed, 0)), processes}
	var steps []Step
	var bag []Kind
	at, stops := warmUp, 0
	for {
		if len(bag) == 0 {
			bag = slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return !slices.Contains(able, k) })
			p.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		if len(bag) == 0 {
			return nil
		}
		kind := bag[0]
		if length >= long && slices.Contains(able, OwnerStop) && time.Duration(stops)*length < (ownerStops+ownerStops/10)*at { // late
			kind = OwnerStop
		} else {
			bag = bag[1:]
		}
		step := p.step(kind)
		step.At = at
		for _, o := range steps {
			if o.excludes(step) {
				step.At = max(step.At, o.At+o.For+time.Second)
			}
			if kind.hitsOwner() {
				step.At = max(step.At, o.At+o.For+alone)
			}
		}
		at = step.At
		if step.At+step.For > length {
			return steps
		}
		if kind == OwnerStop {
			stops++
		}
		if steps = append(steps, step); p.IntN(3) == 0 && !kind.hitsOwner() {
			at += p.between(500*time.Millisecond, step.For)
		} else {
			at += step.For + p.between(0, quiet)
		}
	}
}

type planner struct {
	*rand.Rand
	processes []string
}

func (p planner) between(low, high time.Duration) time.Duration {
	return low + time.Duration(p.Int64N(int64(max(high-low, 1)))).Truncate(time.Millisecond)
}

// one chooses a process whose name begins with one of the words; no words: any.
func (p planner) one(words ...string) string {
	fit := slices.DeleteFunc(slices.Clone(p.processes), func(name string) bool {
		return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(name, w) })
	})
	return fit[p.IntN(len(fit))]
}

func (p planner) step(kind Kind) Step {
	s := Step{Kind: kind, For: p.between(2*time.Second, 6*time.Second)}
	switch kind {
	case Kill, Power:
		s.Targets = []string{p.one()}
	case OwnerKill, OwnerDrain:
		s.Targets = []string{p.one("docs")}
	case OwnerStop:
		s.Targets, s.For = []string{p.one("docs")}, p.between(docsLease+time.Second, 4*docsLease)
	case Stop, Freeze:
		s.Targets, s.For = []string{p.one()}, p.between(leaseTime+2*time.Second, 2*leaseTime)
	case Partition:
		all := append(slices.Clone(p.processes), Clients)
		p.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s.Targets, s.For = all[:1+p.IntN(len(all)/2)], p.between(2*time.Second, 2*leaseTime)
		slices.Sort(s.Targets)
	case OneWay:
		s.Targets, s.For = []string{p.one(), p.one()}, p.between(4*time.Second, 2*leaseTime)
		for s.Targets[0] == s.Targets[1] {
			s.Targets[1] = p.one()
		}
	case Slow:
		s.Delay, s.Loss = p.between(5*time.Millisecond, 100*time.Millisecond), float64(p.IntN(10))/100
	case Cut:
		s.Targets, s.For = []string{p.one("chat", "docs", "identity"), "postgres"}, p.between(200*time.Millisecond, time.Second)
	case Disk:
		s.Targets = []string{"postgres"}
	case Skew:
		s.Targets = []string{p.one("chat", "docs", "identity", "gateway")}
		s.Delay = p.between(10*time.Second, 30*time.Minute).Truncate(time.Second)
		if p.IntN(2) == 0 {
			s.Delay = -s.Delay
		}
	}
	return s
}

func valid(k Kind) bool { return slices.Contains(kinds, k) }

// only narrows the kinds that can be done to those that are wanted; none: all.
func only(able, wanted []Kind) []Kind {
	if len(wanted) == 0 {
		return able
	}
	return slices.DeleteFunc(slices.Clone(able), func(k Kind) bool { return !slices.Contains(wanted, k) })
}
