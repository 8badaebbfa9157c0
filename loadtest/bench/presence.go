package bench

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"plenum.internal/loadtest/internal/run"
)

// presence are the bars of who is here. All that people are shown is checked besides, and a run in which anything was shown wrongly fails: who came back
// in time and was seen as gone for a moment, who was unknown for too long, a view that was sent more than one update a second.
func presence() []group {
	return []group{
		{"presence/gateway", []goal{{"who stays away of 5,000 at a killed gateway seen as gone, with 45 s of grace; those who resume are never", "s", lower, 75}}, killedGateway},
		{"presence/power", []goal{{"200 whose machines lose power seen as gone, with 45 s of grace", "s", lower, 110}}, lostPower},
		{"presence/home", []goal{{"everybody known again behind the kill of one of two processes of presence, 5,000 people", "s", lower, 10}}, killedHome},
		{"presence/storm", []goal{
			{"processor time of presence as 12,000 come back within 10 s, to that of gateways, identity and chat", "x", lower, 0.2},
			{"the same where each follows 5 channels and looks at 50 others", "x", lower, 0.2},
			{"updates of each of the 12,000 views", "/s", lower, 1},
		}, storm},
		{"presence/memory", []goal{
			{"memory of a process of presence for each of 30,000 sessions", "KiB", lower, 1},
			{"memory for each of 30,000 sessions whose people look at 50 others", "KiB", lower, 32},
		}, sessionMemory},
		{"presence/told", []goal{
			{"entries told to 2,000 who look at 50 each, over gateways", "/s", higher, 10_000},
			{"p99 from a choice until who looks is told, of which up to 1 s is conflation", "ms", lower, 2000},
		}, told},
	}
}

// still are people who do nothing but what is measured.
var still = []string{"--rooms", "0", "--status", "0", "--churn", "0", "--idle", "0", "--wake", "0"}

// populate starts a cluster of two gateways with accounts.
func (l *lab) populate(ctx context.Context, people int) (*startedCluster, error) {
	c, err := l.startCluster(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.seed(ctx, people); err != nil {
		return nil, errors.Join(err, c.stop(ctx))
	}
	return c, nil
}

// among runs the load test with people at both gateways, in a cluster of its own, of which it kills a process, if one is named.
func (l *lab) among(ctx context.Context, people int, kill string, flags ...string) (res *run.Result, err error) {
	c, err := l.populate(ctx, people)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	if kill != "" {
		pid, err := c.process(ctx, kill)
		if err != nil {
			return nil, err
		}
		flags = append(flags, "--kill", strconv.Itoa(pid))
	}
	return c.watched(ctx, people, nil, flags...)
}

// watched runs the load test with people at both gateways, and measures processes.
func (c *startedCluster) watched(ctx context.Context, people int, measured []string, flags ...string) (*run.Result, error) {
	args := append(slices.Clone(flags), "--address", c.gateway(2), "-n", strconv.Itoa(people))
	for _, name := range measured {
		pid, err := c.process(ctx, name)
		if err != nil {
			return nil, err
		}
		args = append(args, "--pid", strconv.Itoa(pid))
	}
	return c.load(ctx, "presence", args...)
}

// killedGateway has half of a killed gateway's people come back at the other one, while all look at 50 others; the other half stays away.
func killedGateway(ctx context.Context, l *lab) ([]sample, error) {
	res, err := l.among(ctx, 10_000, "gateway-1", append(still, "--sizes", "1000:1", "--stay", "0.5", "--online", "10s", "--duration", "40s")...)
	return one(res, err, "seen as gone after, at most")
}

// lostPower has people fall silent without a word: the gateway has to find out.
func lostPower(ctx context.Context, l *lab) ([]sample, error) {
	res, err := l.among(ctx, 1000, "", append(still, "--sizes", "100:1", "--unplug", "200", "--duration", "15s")...)
	return one(res, err, "seen as gone after, at most")
}

func killedHome(ctx context.Context, l *lab) ([]sample, error) {
	res, err := l.among(ctx, 5000, "presence-1", append(still, "--sizes", "1000:1", "--duration", "40s")...)
	return one(res, err, "all known again within")
}

// screens are how many each looks at, in the two runs of a bar. Where all of so many views are opened on two cores, what they tell may be late: how late is
// the other bars' question.
var screens = []string{"0", "50"}

// storm is what presence costs as everybody comes back at once, of which the rest of coming back is the measure.
func storm(ctx context.Context, l *lab) (samples []sample, err error) {
	const people = 12_000
	c, err := l.populate(ctx, people)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	var res *run.Result
	for _, does := range [][]string{{"--sizes", "100:1", "--screen", "0"}, {"--sizes", "100:5", "--follow", "5", "--screen", "50"}} {
		res, err = c.watched(ctx, people, []string{"presence-1", "presence-2", "gateway-1", "gateway-2", "identity-1", "identity-2", "chat-1", "chat-2"},
			append(append(still, does...), "--outsiders", "0", "--storm", "10s", "--online", "20s", "--unknown", "20s", "--duration", "40s")...)
		if err != nil {
			return nil, err
		}
		used := map[string]float64{}
		for _, name := range []string{"presence", "gateway", "identity", "chat"} {
			if used[name], err = figure(res, "processor time of "+name+" meanwhile"); err != nil {
				return nil, err
			}
		}
		samples = append(samples, sample{value: used["presence"] / (used["gateway"] + used["identity"] + used["chat"])})
	}
	updates, err := figure(res, "updates of each view")
	return append(samples, sample{value: updates}), err
}

// sessionMemory is what one process of presence holds for each session, beyond what it held before, both in quiet.
func sessionMemory(ctx context.Context, l *lab) (samples []sample, err error) {
	const people = 30_000
	c, err := l.populate(ctx, people)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop(ctx)) }()
	if err := c.run(ctx, l.log, "stop", "presence-2"); err != nil {
		return nil, err
	}
	for _, screen := range screens {
		res, err := c.watched(ctx, people, []string{"presence-1"}, append(still, "--sizes", "51:1", "--screen", screen, "--outsiders", "0",
			"--processes", "2", "--ramp", "500", "--online", "30s", "--unknown", "30s", "--rest", quiet.String(), "--duration", quiet.String())...)
		if err != nil {
			return nil, err
		}
		held, err := figure(res, "memory of presence for each connection")
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{value: held})
	}
	return samples, nil
}

// told has people choose how to be seen, each of whom 50 look at.
func told(ctx context.Context, l *lab) ([]sample, error) {
	res, err := l.among(ctx, 2000, "",
		"--sizes", "51:1", "--rooms", "0", "--churn", "0", "--idle", "0", "--wake", "0", "--status", "400", "--invisible", "0", "--outsiders", "0", "--duration", "30s")
	if err != nil {
		return nil, err
	}
	entries, err := figure(res, "entries told")
	if err != nil {
		return nil, err
	}
	late, err := p99(res, "deliver")
	return []sample{{value: entries}, {value: late}}, err
}

// one is the only sample that a run tells.
func one(res *run.Result, err error, name string) ([]sample, error) {
	if err != nil {
		return nil, err
	}
	v, err := figure(res, name)
	return []sample{{value: v}}, err
}
