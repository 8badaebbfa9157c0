package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
)

// Run is one process's part of a run.
type Run struct {
	Options
	Peers *peers.Group
	API   *account.API
	Crowd *crowd.Crowd
	// Accounts are those of this process: every Peers.Of-th.
	Accounts []*account.Account
	Log      io.Writer // for people

	all     int // accounts of all processes
	tag     string
	begin   time.Time
	mu      sync.Mutex // guards all below
	phase   string
	figures []Figure
	problem []string
	watched *crowd.Crowd // once its members are complete
	since   time.Time    // of watched
	series  *series
	ends    [2]end // of measuring
}

// New signs the accounts in and makes a crowd without members. Only process 0 reads the accounts' file.
func New(ctx context.Context, o Options, g *peers.Group, log io.Writer) (*Run, error) {
	r := &Run{Options: o, Peers: g, API: account.NewAPI(o.Address, o.Local), Log: log, begin: time.Now(), phase: "accounts", series: newSeries()}
	if g.Index != 0 {
		r.PID = nil // process 0 is where the server's processes are
	}
	var all []account.Account
	if g.Index == 0 {
		var err error
		if all, err = account.Load(o.Accounts); err != nil {
			return nil, err
		}
		all = all[:min(len(all), o.Connections, accountsMost)]
		r.sayf("%d accounts get their tokens", len(all))
	}
	parts, err := peers.Gather(ctx, g, "accounts", all)
	if err != nil {
		return nil, err
	}
	r.all = len(parts[0])
	tags, err := peers.Gather(ctx, g, "tag", strconv.FormatInt(r.begin.UnixMilli(), 36))
	if err != nil {
		return nil, err
	}
	r.tag = tags[0]
	for i := range parts[0] {
		if i%g.Of == g.Index {
			r.Accounts = append(r.Accounts, &parts[0][i])
		}
	}
	if len(r.Accounts) == 0 {
		return nil, fmt.Errorf("%d accounts don't go round for %d processes", len(parts[0]), g.Of)
	}
	return r, r.renew(ctx)
}

// NewCrowd returns a crowd that goes where the options say.
func (r *Run) NewCrowd() *crowd.Crowd {
	return crowd.New(crowd.Config{
		Addresses: r.Address, Locals: r.Local, Transport: r.Transport, Reconnect: r.Reconnect, Renew: r.API.Renew, First: uint32(r.Peers.Index) << 24,
	})
}

// Tag names what this run makes.
func (r *Run) Tag() string { return r.tag }

// Play runs a scenario from its first call to the result, which process 0 alone gets.
func (r *Run) Play(ctx context.Context, scenario func(context.Context, *Run) error, name string, flags any) (*Result, error) {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.Watch(watching) })
	err := scenario(ctx, r)
	stop()
	watch.Wait()
	defer r.API.Close()
	if err != nil {
		if r.Crowd != nil {
			r.Crowd.Leave(nil)
		}
		// The tokens that were spent are no good any more; without those that came instead the accounts would be lost.
		saving, cancel := ending(ctx)
		defer cancel()
		return nil, errors.Join(err, r.saveAccounts(saving))
	}
	return r.Finish(ctx, name, flags)
}

// Phase names what goes on, for the progress line.
func (r *Run) Phase(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = name
}

// Figure adds a number to the result.
func (r *Run) Figure(name string, value float64, unit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.figures = append(r.figures, Figure{name, value, unit})
}

// Fail says why the run did not pass.
func (r *Run) Fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem = append(r.problem, fmt.Sprintf(format, args...))
}

func (r *Run) sayf(format string, args ...any) { fmt.Fprintf(r.Log, format+"\n", args...) }
