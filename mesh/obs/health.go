package obs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	checkTimeout = 2 * time.Second
	checkPause   = 250 * time.Millisecond // within it the last report stands: anybody may ask, and tests cost queries
)

type check struct {
	name string
	test func(ctx context.Context) error
	busy chan struct{} // capacity 1: held while test runs, however long that takes
}

var (
	errNotReady = errors.New("not ready yet")
	errNoAnswer = errors.New("no answer")
)

// run returns what the test says, or errNoAnswer when ctx ends first. A test that hangs is not begun a second time.
func (c check) run(ctx context.Context) error {
	select {
	case c.busy <- struct{}{}:
	default:
		return errNoAnswer
	}
	result := make(chan error, 1)
	go func() {
		defer func() { <-c.busy }()
		result <- c.test(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return errNoAnswer
	}
}

// report is the outcome of all checks.
type report struct {
	at   time.Time
	ok   bool
	text string // a line for each condition
}

// Check adds a condition of readiness: an error of test, or no answer within 2 s, takes the process out of service. Conditions
// that a restart or another replica would not heal don't belong here.
func (o *Obs) Check(name string, test func(ctx context.Context) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.checks = append(o.checks, check{name, test, make(chan struct{}, 1)})
}

// ReadyWhen adds a condition that holds once the channel is closed, such as a run.Group's Ready.
func (o *Obs) ReadyWhen(name string, ready <-chan struct{}) {
	o.Check(name, func(context.Context) error {
		select {
		case <-ready:
			return nil
		default:
			return errNotReady
		}
	})
}

// Livez answers 200 as long as the process can answer at all.
func (o *Obs) Livez(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

// Readyz answers 200 if every condition holds and 503 if not, without a word why: it may stand on the users' listener.
func (o *Obs) Readyz(w http.ResponseWriter, r *http.Request) {
	if !o.examine(r.Context()).ok {
		plain(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

// readyzVerbose is Readyz for the operator: one line for each condition.
func (o *Obs) readyzVerbose(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	report := o.examine(r.Context())
	if !report.ok {
		status = http.StatusServiceUnavailable
	}
	plain(w, status, report.text)
}

// examine tests all conditions at the same time, and one caller for all that ask meanwhile.
func (o *Obs) examine(ctx context.Context) report {
	select {
	case o.examining <- struct{}{}:
		defer func() { <-o.examining }()
	case <-ctx.Done():
		return report{text: "the asker went away\n"}
	}
	if time.Since(o.last.at) < checkPause {
		return o.last
	}
	o.mu.Lock()
	checks := o.checks[:len(o.checks):len(o.checks)]
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout) // the answer is for all, not for this caller
	defer cancel()
	results := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { results[i] = c.run(ctx) })
	}
	wg.Wait()
	var b strings.Builder
	ok := true
	for i, c := range checks {
		word := "ok"
		if results[i] != nil {
			ok, word = false, results[i].Error()
		}
		fmt.Fprintf(&b, "%s: %s\n", c.name, word)
	}
	if ok {
		b.WriteString("ready\n")
	}
	o.last = report{time.Now(), ok, b.String()}
	return o.last
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
