package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"plenum.internal/mesh/obs"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

const (
	reportInterval = time.Second
	reportTime     = 5 * time.Second // for one report
	reportLast     = 2 * time.Second // for all that waits when the process stops
	reportRetryMax = 30 * time.Second
	reportBatch    = 100 // entries in one report
	keepUnreported = 10 * time.Minute

	// One kind of refusal from one address becomes an entry within a second, then one a minute, then ever fewer while it goes on.
	firstPause, longestPause = time.Minute, time.Hour
	// Who comes from ever new addresses gets entries of their own for the first, and one for all the others.
	newEntries, newEntryInterval = 60, 10 * time.Second // of each reason: at once, and behind that
	maxEntries                   = 1024
)

// Why something was refused, as the audit log names it.
const (
	reasonForged  = "token.forged"
	reasonExpired = "token.expired"
	reasonRevoked = "token.revoked"
	reasonForeign = "token.foreign"
	reasonTicket  = "ticket.refused"
	reasonOrigin  = "origin.wrong"
)

// Recorder puts refusals on record: authv1.AuthServiceClient.
type Recorder interface {
	Report(ctx context.Context, q *authv1.ReportRequest, opts ...grpc.CallOption) (*authv1.ReportResponse, error)
}

// Reporter tells identity, for its audit log, what this process refused. Whoever refuses reports: a gateway passes on no token that
// it refused, so nothing is counted twice. What is reported may be recorded twice where identity's answer was lost.
//
// Invariant: at most maxEntries wait, and each reason makes at most newEntries entries at once and then a few a minute, however many
// refusals there are: what exceeds that is counted in one entry for the reason.
//
// A nil Reporter reports nothing.
type Reporter struct {
	to      Recorder
	log     *slog.Logger
	counted *prometheus.CounterVec
	dropped prometheus.Counter

	mu      sync.Mutex // guards all below
	entries map[refusal]*entry
	full    map[string]time.Time // by reason: when its allowance of new entries is whole again

	// Run's own.
	retry   time.Duration
	retryAt time.Time
}

// refusal is what one entry stands for.
type refusal struct{ workspace, user, reason, address string }

type entry struct {
	count uint32    // not reported yet
	since time.Time // of the first of them
	due   time.Time // not reported before; the entry is forgotten if nothing is counted by then
	pause time.Duration
}

// NewReporter returns a reporter; nothing is sent before Run. Only to is required.
func NewReporter(to Recorder, deps VerifierDeps) (*Reporter, error) {
	if to == nil {
		return nil, errors.New("auth: a reporter needs somebody to report to")
	}
	r := &Reporter{
		to: to, log: deps.Log, entries: map[refusal]*entry{}, full: map[string]time.Time{},
		counted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plenum_auth_refusals_total", Help: "Tokens and origins refused here, by reason.",
		}, []string{"reason"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plenum_auth_refusals_dropped_total", Help: "Refusals that are missing from the audit log, because identity could not be reached for long.",
		}),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(obs.Register(deps.Metrics, &r.counted), obs.Register(deps.Metrics, &r.dropped)); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return r, nil
}

// Token counts a token that Verify refused with err, or that Foreign says is not the one to be shown here. No token at all, and
// one that can't be told yet, are no refusals. It never blocks.
func (r *Reporter) Token(err error, from netip.Addr) {
	k := refusal{address: network(from)}
	switch {
	case r == nil, errors.Is(err, errMissing):
		return
	case errors.Is(err, errForeign):
		k.reason = reasonForeign
	case errors.Is(err, ErrExpired):
		k.reason = reasonExpired
	case errors.Is(err, ErrRevoked):
		k.reason = reasonRevoked
	case errors.Is(err, ErrRefused):
		k.reason = reasonForged
	default:
		return
	}
	if s, ok := errors.AsType[*signedError](err); ok {
		k.workspace, k.user = s.claims.Workspace, s.claims.User
	}
	r.count(k, time.Now())
}

// Ticket counts a ticket that identity refused: forged, or of a session that has ended. It never blocks.
func (r *Reporter) Ticket(from netip.Addr) {
	if r != nil {
		r.count(refusal{reason: reasonTicket, address: network(from)}, time.Now())
	}
}

// Origin counts a request that a page of a foreign origin made. It never blocks.
func (r *Reporter) Origin(from netip.Addr) {
	if r != nil {
		r.count(refusal{reason: reasonOrigin, address: network(from)}, time.Now())
	}
}

// network is what counts as one address: of IPv6 a /64, which one household or machine has for itself.
func network(a netip.Addr) string {
	if a = a.Unmap().WithZone(""); a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func (r *Reporter) count(k refusal, now time.Time) {
	r.counted.WithLabelValues(k.reason).Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[k]
	if e == nil && !r.allow(k.reason, now) {
		k = refusal{reason: k.reason}
		e = r.entries[k]
	}
	if e == nil {
		e = &entry{due: now, pause: firstPause}
		r.entries[k] = e
	}
	if e.count == 0 {
		e.since = now
	}
	if e.count < math.MaxUint32 {
		e.count++
	}
}

// allow takes a new entry from the reason's allowance; mu is held.
func (r *Reporter) allow(reason string, now time.Time) bool {
	full := r.full[reason]
	if full.Before(now) {
		full = now
	}
	full = full.Add(newEntryInterval)
	if len(r.entries) >= maxEntries || full.Sub(now) > newEntries*newEntryInterval {
		return false
	}
	r.full[reason] = full
	return true
}

// Run reports until ctx ends; then it reports what waits, if that is quick, and returns nil.
func (r *Reporter) Run(ctx context.Context) error {
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			r.tidy(now)
			if !now.Before(r.retryAt) {
				r.report(ctx, now, r.batch(now))
			}
		case <-ctx.Done():
			r.finish(context.WithoutCancel(ctx))
			return nil
		}
	}
}

// finish reports all that was counted, due or not.
func (r *Reporter) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportLast)
	defer cancel()
	now := time.Now()
	for {
		batch := r.batch(now.Add(longestPause))
		if len(batch) == 0 || !r.report(ctx, now, batch) {
			return
		}
	}
}

// tidy forgets what is over, and what identity was too long away for.
func (r *Reporter) tidy(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.entries {
		switch late := now.Sub(e.due); {
		case e.count == 0 && late >= 0:
			delete(r.entries, k)
		case e.count > 0 && late > keepUnreported:
			r.dropped.Add(float64(e.count))
			delete(r.entries, k)
		}
	}
}

// batch returns what is to be reported at a time.
func (r *Reporter) batch(now time.Time) map[refusal]uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[refusal]uint32{}
	for k, e := range r.entries {
		if e.count > 0 && !e.due.After(now) && len(out) < reportBatch {
			out[k] = e.count
		}
	}
	return out
}

// report sends a batch and tells whether it is on record; otherwise it stays counted.
func (r *Reporter) report(ctx context.Context, now time.Time, batch map[refusal]uint32) bool {
	if len(batch) == 0 {
		return true
	}
	q := &authv1.ReportRequest{}
	r.mu.Lock()
	for k, n := range batch {
		q.Refusals = append(q.Refusals, &authv1.Refusal{
			Workspace: k.workspace, User: k.user, Reason: k.reason, Address: k.address, Count: n, SinceMs: r.entries[k].since.UnixMilli(),
		})
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	if _, err := r.to.Report(ctx, q); err != nil {
		if r.retry == 0 {
			r.log.WarnContext(ctx, "refusals can't be put on the audit log for now", "error", err)
		}
		r.retry = min(max(2*r.retry, reportInterval), reportRetryMax)
		r.retryAt = now.Add(r.retry)
		return false
	}
	r.retry, r.retryAt = 0, time.Time{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, n := range batch {
		e := r.entries[k]
		e.count -= n
		e.since = now // of the next, about: it came while these were sent
		e.due = now.Add(e.pause)
		e.pause = min(2*e.pause, longestPause)
	}
	return true
}
