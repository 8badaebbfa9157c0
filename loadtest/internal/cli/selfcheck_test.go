package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/tally"
)

// The harness is put to the test, by servers of its own.
func TestAgainstServers(t *testing.T) {
	bin := programs(t)
	for name, test := range map[string]func(*testing.T, string){"fanout": testFanout, "documents": testDocuments, "presence": testPresence, "scenarios": testScenarios} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bin)
		})
	}
}

// A Plenum that keeps its promises passes, and what was counted is what somebody else counts. Of one that
// breaks them exactly that is found which it does, and what came and what was lost is together what stands in the channel.
func testFanout(t *testing.T, bin string) {
	const readers = 20
	var all sync.WaitGroup
	for fault, kinds := range map[string]string{"": "", "drop": "gaps lost", "twice": "duplicates", "swap": "disorder gaps"} {
		all.Go(func() {
			t.Run("fault "+fault, func(t *testing.T) {
				s := serve(t, bin, fault)
				accounts := s.seed(t, "reader", readers)
				people, err := account.Load(accounts)
				if err != nil {
					t.Fatal(err)
				}
				w := observe(t, s.address, people[0])
				code, res := load(t, s, accounts, "fanout", "-n", "20", "--rate", "40", "--warmup", "1s", "-d", "4s")
				messages := w.stand(t)
				f := res.Findings
				if messages == 0 || f.Events+f.Lost != readers*messages {
					t.Errorf("%d messages stand for %d readers, %+v", messages, readers, f)
				}
				if got := kindsOf(t, f); got != kinds {
					t.Errorf("%q was found, not %q: %+v", got, kinds, f)
				}
				if fault != "" {
					if code != exitFailed || len(res.Problems) != 1 {
						t.Errorf("exit code %d, %v", code, res.Problems)
					}
					return
				}
				if n := w.heard(t); n != messages {
					t.Errorf("%d messages stand, %d were heard", messages, n)
				}
				if code != 0 || len(res.Problems) != 0 {
					t.Errorf("exit code %d, %v", code, res.Problems)
				}
			})
		})
	}
	all.Wait()
}

// Editors of documents find what a Plenum breaks, and each who was told other events has another content in the end, or none that it could hold
// to the server's.
func testDocuments(t *testing.T, bin string) {
	const editors = 20
	var all sync.WaitGroup
	for fault, kinds := range map[string]string{"": "", "drop": "diverged gaps lost", "twice": "duplicates", "swap": "disorder diverged gaps"} {
		all.Go(func() {
			t.Run("fault "+fault, func(t *testing.T) {
				s := serve(t, bin, fault)
				accounts := s.seed(t, "editor", editors)
				code, res := load(t, s, accounts, "docs", "--editors", "20", "--rate", "2", "--warmup", "1s", "-d", "4s")
				f := res.Findings
				if got := kindsOf(t, f); got != kinds {
					t.Errorf("%q was found, not %q: %+v", got, kinds, f)
				}
				if f.Events == 0 || f.Diverged > editors || figure(&res, "documents compared by hash") != 1 {
					t.Errorf("%+v, %v", f, res.Figures)
				}
				if want := map[bool]int{true: exitFailed}[fault != ""]; code != want || (code == 0) != (len(res.Problems) == 0) {
					t.Errorf("exit code %d, %v", code, res.Problems)
				}
			})
		})
	}
	all.Wait()
}

// People who look at each other find what a Plenum breaks that is set otherwise than it promises, or loses what it tells; of one that keeps its word they
// find nothing, though people come, go, hide and do nothing meanwhile.
func testPresence(t *testing.T, bin string) {
	const grace = "--presence.grace=3s" // the promise, here
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		fault string
		flags []string
		found string // among what was found; empty: nothing was
	}{
		"whole":                        {"", []string{grace}, ""},
		"lost updates":                 {"drop every 50th", []string{grace}, "late"},
		"gone too early":               {"", []string{"--presence.grace=1s"}, "flickers"},
		"here for too long":            {"", []string{"--presence.grace=30s"}, "ghosts"},
		"more than an update a second": {"", []string{grace, "--presence.interval=100ms"}, "more than one update a second"},
		"away too early":               {"", []string{grace}, "wrong"},
	} {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				s := serve(t, bin, c.fault, c.flags...)
				accounts := s.seed(t, "onlooker", 40)
				idle := "5m"
				if name == "away too early" {
					idle = "20m" // is promised, to who has done nothing for 10 minutes; the server's least would be too much for a test
				}
				code, res := load(t, s, accounts, "presence", "-n", "40", "--sizes", "20:1", "--rooms", "0.5", "--status", "10", "--churn", "0.05", "--pause", "5s", "--wake", "1",
					"--quit", "0.3", "--grace", "3s", "--offline", "6s", "--idle-after", idle, "--warmup", "1s", "-d", "12s")
				problems := strings.Join(res.Problems, "\n")
				if c.found == "" {
					if code != 0 || problems != "" || figure(&res, "entries told") == 0 || figure(&res, "seen as gone") == 0 || latency(&res, "deliver").Count == 0 {
						t.Errorf("exit code %d, %v", code, problems)
					}
					return
				}
				if none := c.found + " 0"; code != exitFailed || !strings.Contains(problems, c.found+" ") || strings.Contains(problems, none) {
					t.Errorf("exit code %d, %v", code, problems)
				}
			})
		})
	}
	all.Wait()
}

// kindsOf names what was found of broken promises.
func kindsOf(t *testing.T, f tally.Findings) string {
	t.Helper()
	data, err := json.Marshal(f)
	var counts map[string]uint64
	if err = errors.Join(err, json.Unmarshal(data, &counts)); err != nil {
		t.Fatal(err)
	}
	delete(counts, "events")
	maps.DeleteFunc(counts, func(_ string, n uint64) bool { return n == 0 })
	return strings.Join(slices.Sorted(maps.Keys(counts)), " ")
}

// load runs a scenario against a server.
func load(t *testing.T, s *server, accounts string, args ...string) (code int, res run.Result) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "result.json")
	var out, log bytes.Buffer
	code, err := start(t.Context(), append(args, "--address", s.address, "--accounts", accounts, "--json", file), &out, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &res); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return code, res
}
