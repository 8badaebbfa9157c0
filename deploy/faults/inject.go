package faults

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"plenum.internal/deploy/faults/skew"
	"plenum.internal/deploy/faults/space"
	"plenum.internal/deploy/faults/wire"
)

// answersLost is how long the database's answers are on their way when a connection is cut: some COMMIT takes effect meanwhile, and nobody learns
// of it.
const answersLost = 50 * time.Millisecond

// inject does what a step says, and returns what undoes it.
func (l *lab) inject(s Step) (heal func() error, err error) {
	switch s.Kind {
	case Kill, OwnerKill:
		return l.kill(s.Targets[0])
	case OwnerDrain:
		return l.drain(s.Targets[0])
	case Stop, OwnerStop:
		return l.stop(s.Targets[0])
	case Freeze:
		return space.Freeze(l.cluster.Family(s.Targets[0])...)
	case Power:
		return l.power(s.Targets[0])
	case Partition:
		return l.part(s.Targets)
	case OneWay:
		return l.rules([]string{s.Targets[1]}, []string{s.Targets[0]}, wire.Rule{Down: true})
	case Slow:
		return l.rules(nil, nil, wire.Rule{Delay: s.Delay, Jitter: s.Delay, Loss: s.Loss})
	case Cut:
		return l.cut(s.Targets[0], s.Targets[1])
	case Disk:
		return l.disk.Free, l.disk.Fill()
	case Skew:
		return l.skew(s.Targets[0], s.Delay)
	default:
		return nil, fmt.Errorf("faults: no kind is called %s", s.Kind)
	}
}

// kill leaves a process dead; the keeper starts it again afterwards. One that is dead already stays so for longer.
func (l *lab) kill(name string) (heal func() error, err error) {
	back := l.keeper.away(name)
	if err := l.cluster.Kill(name); err != nil && l.cluster.Running(name) {
		return nil, err
	}
	return func() error { back(); return nil }, nil
}

// drain tells a process to end; the keeper starts it again afterwards. One that doesn't end in order is kept for the verdict.
func (l *lab) drain(name string) (heal func() error, err error) {
	back := l.keeper.away(name)
	ended := make(chan error, 1)
	go func() { ended <- l.cluster.Stop(name) }()
	return func() error {
		defer back()
		if err := <-ended; err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.disorder = append(l.disorder, fmt.Sprintf("DISORDER %v", err))
		}
		return nil
	}, nil
}

func (l *lab) stop(name string) (heal func() error, err error) {
	if err := l.cluster.Freeze(name); err != nil && l.cluster.Running(name) {
		return nil, err
	}
	return func() error {
		if err := l.cluster.Thaw(name); err != nil && l.cluster.Running(name) {
			return err
		}
		return nil
	}, nil
}

// power takes the network away first, so that no peer is told.
func (l *lab) power(name string) (heal func() error, err error) {
	connect, err := l.part([]string{name})
	if err != nil {
		return nil, err
	}
	back, err := l.kill(name)
	if err != nil {
		return nil, errors.Join(err, connect())
	}
	return func() error { return errors.Join(connect(), back()) }, nil
}

// part cuts some off from all others, both ways; among themselves they are connected.
func (l *lab) part(names []string) (heal func() error, err error) {
	others := slices.DeleteFunc(append(l.cluster.Names(), Clients), func(name string) bool { return slices.Contains(names, name) })
	there, err := l.rules(names, others, wire.Rule{Down: true})
	if err != nil {
		return nil, err
	}
	back, err := l.rules(others, names, wire.Rule{Down: true})
	if err != nil {
		return nil, errors.Join(err, there())
	}
	return func() error { return errors.Join(there(), back()) }, nil
}

// rules has a rule followed from some to others; nil is all.
func (l *lab) rules(from, to []string, r wire.Rule) (heal func() error, err error) {
	var ends [2][]netip.Addr
	for i, names := range [][]string{from, to} {
		if ends[i], err = l.addresses(names...); err != nil {
			return nil, err
		}
	}
	r.From, r.To = ends[0], ends[1]
	remove, err := l.wire.Add(r)
	if err != nil {
		return nil, err
	}
	return func() error { remove(); return nil }, nil
}

// cut loses the answers of to, and then resets every connection between the two.
func (l *lab) cut(from, to string) (heal func() error, err error) {
	answers, err := l.rules([]string{to}, []string{from}, wire.Rule{Down: true})
	if err != nil {
		return nil, err
	}
	time.Sleep(answersLost)
	there, err := l.rules([]string{from}, []string{to}, wire.Rule{Cut: true})
	if err != nil {
		return nil, errors.Join(err, answers())
	}
	back, err := l.rules([]string{to}, []string{from}, wire.Rule{Cut: true})
	return func() error { return errors.Join(there(), back(), answers()) }, err
}

func (l *lab) skew(name string, by time.Duration) (heal func() error, err error) {
	file := l.clockFile(l.cluster.IP(name))
	return func() error { return skew.Set(file, 0) }, skew.Set(file, by)
}
