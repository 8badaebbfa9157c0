package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/proc"
	"plenum.internal/loadtest/internal/setup"
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

// end is where the counts stand as measuring begins or ends.
type end struct {
	At                        time.Time
	Usage                     proc.Usage
	Offered, Answered, Events uint64
}

const (
	renewers     = 64 // token requests at the same time
	accountsMost = 200_000
	tokenReserve = 90 * time.Second // a token that lasts less is renewed
)

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

// renew gets tokens for the accounts whose own end soon. What was spent is saved even if others fail.
func (r *Run) renew(ctx context.Context) error {
	wait, inner := errgroup.WithContext(ctx)
	wait.SetLimit(renewers)
	for _, a := range r.Accounts {
		if time.Until(a.Expires) > tokenReserve+r.Warmup+r.Duration {
			continue
		}
		wait.Go(func() error {
			if err := inner.Err(); err != nil { // another was refused
				return err
			}
			return r.API.Renew(ctx, a) // not inner: who is asking gets its answer, or its token is spent for nothing
		})
	}
	err := wait.Wait()
	return errors.Join(err, r.saveAccounts(ctx))
}

// saveAccounts writes the file anew: process 0 does, for all.
func (r *Run) saveAccounts(ctx context.Context) error {
	parts, err := peers.Gather(ctx, r.Peers, "spent tokens", r.Accounts)
	if err != nil || r.Peers.Index != 0 {
		return err
	}
	all, err := account.Load(r.Options.Accounts)
	if err != nil {
		return err
	}
	newest := map[string]*account.Account{}
	for _, p := range parts {
		for _, a := range p {
			newest[a.User] = a
		}
	}
	for i := range all {
		if a := newest[all[i].User]; a != nil {
			all[i] = *a
		}
	}
	return account.Save(r.Options.Accounts, all)
}

// Share is this process's part of n.
func (r *Run) Share(n int) int { return (n + r.Peers.Of - 1 - r.Peers.Index) / r.Peers.Of }

// Lead runs f in process 0 and hands its answer to all.
func Lead[T any](ctx context.Context, r *Run, name string, f func(ctx context.Context) (T, error)) (answer T, err error) {
	type outcome struct {
		Answer T
		Error  string
	}
	var o outcome
	if r.Peers.Index == 0 {
		r.Phase(name)
		if o.Answer, err = f(ctx); err != nil {
			o.Error = err.Error()
		}
	}
	all, gathered := peers.Gather(ctx, r.Peers, name, o)
	switch {
	case err != nil:
		return answer, fmt.Errorf("%s: %w", name, err)
	case gathered != nil:
		return answer, gathered
	case all[0].Error != "":
		return answer, fmt.Errorf("%s: %s", name, all[0].Error)
	}
	return all[0].Answer, nil
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

// Connect connects the crowd at the rate of --ramp, and waits for the other processes.
func (r *Run) Connect(ctx context.Context) error {
	r.Phase("connect")
	r.mu.Lock()
	r.watched, r.since = r.Crowd, time.Now()
	r.mu.Unlock()
	if err := r.Crowd.ConnectAll(ctx, r.Ramp/float64(r.Peers.Of)); err != nil {
		return err
	}
	_, err := peers.Gather(ctx, r.Peers, "connected", r.Crowd.Connected())
	return err
}

// Measure runs load through warm-up and measuring, and waits for the other processes at both ends. load ends with its context.
func (r *Run) Measure(ctx context.Context, load func(ctx context.Context) error) error {
	loading, stop := context.WithTimeout(ctx, r.Warmup+r.Duration)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- load(loading) }()
	r.Phase("warm up")
	if err := sleep(loading, r.Warmup, done); err != nil {
		return err
	}
	if err := r.mark(0); err != nil {
		return err
	}
	r.Crowd.Measure()
	r.Phase("measure")
	err := <-done
	if e := r.mark(1); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if ctx.Err() != nil {
		r.Fail("stopped before its end: %v", context.Cause(ctx))
	}
	r.Phase("settle")
	r.Crowd.Settle(ctx, settleQuiet, settleMost)
	_, err = peers.Gather(ctx, r.Peers, "measured", true)
	return err
}

// What is late by less than settleQuiet after the last is still waited for, up to settleMost.
const (
	settleQuiet = 3 * time.Second
	settleMost  = time.Minute
)

func sleep(ctx context.Context, d time.Duration, done <-chan error) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-done:
		if err == nil && ctx.Err() != nil {
			return fmt.Errorf("warm up: %w", ctx.Err())
		}
		return errors.Join(errors.New("the load ended early"), err)
	case <-ctx.Done():
		return fmt.Errorf("warm up: %w", ctx.Err())
	}
}

// mark notes what the server has used and the clients have done so far.
func (r *Run) mark(which int) error {
	u, err := proc.Read(r.PID)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[which] = end{time.Now(), u, r.Crowd.Offered.Load(), r.Crowd.Answered.Load(), r.Crowd.Counts.Events.Load()}
	return err //nolint:wrapcheck // names the process
}

// Measured is how long was measured, and what the server's processes used of the processors meanwhile.
func (r *Run) Measured() (d, cpu time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ends[1].At.Sub(r.ends[0].At), r.ends[1].Usage.CPU - r.ends[0].Usage.CPU
}

// NewCrowd returns a crowd that goes where the options say.
func (r *Run) NewCrowd() *crowd.Crowd {
	return crowd.New(crowd.Config{
		Addresses: r.Address, Locals: r.Local, Reconnect: r.Reconnect, Renew: r.API.Renew, First: uint32(r.Peers.Index) << 24,
	})
}

// Number is the place of Accounts[i] among those of all processes.
func (r *Run) Number(i int) int { return i*r.Peers.Of + r.Peers.Index }

// AllAccounts is how many accounts all processes have together.
func (r *Run) AllAccounts() int { return r.all }

// Tag names what this run makes.
func (r *Run) Tag() string { return r.tag }

// Channels makes channels, in process 0 with the accounts of all, and returns their ids.
func Channels(ctx context.Context, r *Run, plan func(users int) []setup.Channel) ([]string, error) {
	parts, err := peers.Gather(ctx, r.Peers, "members", r.Accounts)
	if err != nil {
		return nil, err
	}
	return Lead(ctx, r, "channels", func(ctx context.Context) ([]string, error) {
		var owners []*account.Account
		var users []string
		for i := 0; len(users) < total(parts); i++ {
			a := parts[i%r.Peers.Of][i/r.Peers.Of]
			owners, users = append(owners, a), append(users, a.User)
		}
		return setup.New(r.API, owners).Make(ctx, plan(len(users)), users)
	})
}

func total[T any](parts [][]T) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// MeasureConnect connects the crowd and measures until all its topics are open.
func (r *Run) MeasureConnect(ctx context.Context) error {
	if err := r.mark(0); err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	r.Crowd.WaitOpen(ctx, settleMost)
	return r.mark(1)
}

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
		return nil, err
	}
	return r.Finish(ctx, name, flags)
}
