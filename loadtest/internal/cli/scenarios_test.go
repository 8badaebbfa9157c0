package cli

import (
	"fmt"
	"sync"
	"testing"

	"plenum.internal/loadtest/internal/run"
)

// Each scenario runs against a Plenum, passes, and measures what it is there for.
func testScenarios(t *testing.T, bin string) {
	s := serve(t, bin, "")
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		args      []string
		figures   []string // that are there, and more than 0
		latencies []string // likewise
		events    bool
	}{
		"connect": {
			args: []string{"--topics", "5", "--warm", "--with", "refresh"}, figures: []string{"all connected within", "connections made"},
			latencies: []string{"connect", "open"},
		},
		"idle": {
			args: []string{"--bundle", "10"}, figures: []string{"connected at the end", "heads told"}, latencies: []string{"connect", "open"},
		},
		"chat": {
			args:    []string{"--sizes", "20:1,5:2,2:2", "--rate", "100"},
			figures: []string{"mutations that took place", "heads told"}, latencies: []string{"ack", "deliver"}, events: true,
		},
		"reconnect": {
			args:    []string{"--sizes", "20:1,5:2", "--rate", "50", "--after", "100ms", "--share", "0.5"},
			figures: []string{"resumed within"}, latencies: []string{"resume", "deliver"}, events: true,
		},
		"docs": {
			args:    []string{"--documents", "4", "--editors", "5", "--rate", "5", "--cursors", "--churn", "0.05", "--to", "8"},
			figures: []string{"documents compared by hash", "mutations that took place", "signals told"}, latencies: []string{"ack", "deliver", "resume"}, events: true,
		},
		"presence": {
			args: []string{
				"--sizes", "10:1,4:1", "--rooms", "0.5", "--storm", "1s", "--after", "500ms", "--churn", "0", "--status", "5", "--grace", "45s", "--outsiders", "1",
			},
			figures: []string{"views", "updates told", "connections that broke", "back within"}, latencies: []string{"resume", "deliver"}, events: true,
		},
		"mixed": {
			args: []string{"--sizes", "10:2", "--rate", "50", "--churn", "0.2"}, latencies: []string{"resume", "deliver"}, events: true,
		},
	} {
		accounts := s.seed(t, name, 20)
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				args := []string{name, "-n", "20", "--warmup", "500ms", "-d", "3s", "--pid", fmt.Sprint(s.pid)}
				code, res := load(t, s, accounts, append(args, c.args...)...)
				if code != 0 || len(res.Problems) > 0 || (res.Findings.Events > 0) != c.events {
					t.Errorf("exit code %d, %v, %+v", code, res.Problems, res.Findings)
				}
				for _, name := range c.figures {
					if v := figure(&res, name); v <= 0 {
						t.Errorf("%s is %v", name, v)
					}
				}
				for _, name := range c.latencies {
					if n := latency(&res, name).Count; n == 0 {
						t.Errorf("%s was not measured", name)
					}
				}
				resumed, within := latency(&res, "resume"), figure(&res, "resumed within")
				if name == "reconnect" && (resumed.Count != 10 || within*1.01e6 < float64(resumed.Max)) {
					t.Errorf("%d of 10 were resumed, within %v s, one in %v us", resumed.Count, within, resumed.Max)
				}
			})
		})
	}
	all.Wait()
}

func figure(res *run.Result, name string) float64 {
	for _, f := range res.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

func latency(res *run.Result, name string) run.Latency {
	for _, l := range res.Latency {
		if l.Name == name {
			return l
		}
	}
	return run.Latency{}
}
