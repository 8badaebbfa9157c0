package gateway

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	retryPause = 50 * time.Millisecond
	maxSeq     = 1<<53 - 1
	// insidersPart is the part of MaxCalls that calls without a token don't get: 1/n.
	insidersPart = 4
)

// request is one call of a service, over a connection or by HTTP.
type request struct {
	method   *catalog.Method
	body     []byte
	caller   auth.Caller // zero for a public method
	clientID string
	seq      uint64 // 0: none
	timeout  time.Duration
	address  netip.Addr
}

// holder is who answers for its bytes.
func (r *request) holder() intake.Holder {
	if r.caller.User == "" {
		return intake.Stranger(prefix(r.address))
	}
	return intake.User(r.caller.Workspace, r.caller.User)
}

// prepare checks what the client asks for, without calling anybody.
func (g *Gateway) prepare(r *request) error {
	switch {
	case len(r.body) > r.method.MaxBody:
		return errBodyLarge
	case r.seq > maxSeq, r.seq != 0 && r.clientID == "":
		return errSeq
	case r.method.Route != 0:
		if _, err := wire.String(r.body, r.method.Route); err != nil {
			return errBody
		}
	}
	if r.timeout <= 0 || r.timeout > r.method.Timeout {
		r.timeout = r.method.Timeout
	}
	return nil
}

// route is the key by which a node is chosen: the partition of what the call is about, or of the caller.
func (r *request) route() string {
	id := r.caller.User
	if r.method.Route != 0 {
		if v, err := wire.String(r.body, r.method.Route); err == nil && v != "" {
			id = v
		}
	}
	return topic.RouteKey(r.caller.Workspace, id)
}

// invoke calls the service. What may be repeated is tried once more where it was not answered: by then the node that was asked is
// known to be gone, or frozen (registry.Conns), and another one answers. A change repeats its number, and so takes place once.
func (g *Gateway) invoke(ctx context.Context, r request) ([]byte, error) {
	most := g.cfg.MaxCalls
	if r.method.Public { // a storm of sign-ins leaves room for those who are in
		most -= most / insidersPart
	}
	if n := g.calling.Add(1); n > int64(most) {
		g.calling.Add(-1)
		return nil, errBusy
	}
	g.metrics.calling.Inc()
	start := time.Now()
	defer func() {
		g.calling.Add(-1)
		g.metrics.calling.Dec()
		g.metrics.callSeconds.WithLabelValues(r.method.Service).Observe(time.Since(start).Seconds())
	}()
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if !r.method.Public {
		ctx = rpc.WithToken(ctx, r.caller.Token)
	}
	if r.seq != 0 {
		ctx = rpc.WithMutation(ctx, r.clientID, r.seq)
	}
	if r.address.IsValid() {
		ctx = rpc.WithClientAddress(ctx, r.address)
	}
	answer, err := g.once(ctx, r)
	if err == nil || !r.method.Repeats {
		return answer, err
	}
	e := rpc.FromError(err)
	if lost := e.GetCode() == edgev1.Code_CODE_UNAVAILABLE || e.GetCode() == edgev1.Code_CODE_OUTCOME_UNKNOWN; !lost || e.GetRetryAfterMs() > 0 {
		return answer, err
	}
	select {
	case <-ctx.Done():
		return nil, err
	case <-time.After(retryPause):
	}
	return g.once(ctx, r)
}

func (g *Gateway) once(ctx context.Context, r request) ([]byte, error) {
	cc, err := g.deps.Services.Conn(r.method.Service, r.route())
	if err != nil {
		return nil, away.Because(err)
	}
	return rpc.Invoke(ctx, cc, r.method.Name, r.body) //nolint:wrapcheck // numbered
}

// rate is what a session may do of a class.
func (c *Config) rate(class edgev1.RateClass) limit.Rate {
	switch class {
	case edgev1.RateClass_RATE_CLASS_WRITE:
		return c.Write
	case edgev1.RateClass_RATE_CLASS_BULK:
		return c.Bulk
	case edgev1.RateClass_RATE_CLASS_SIGN_IN:
		return c.SignIn
	case edgev1.RateClass_RATE_CLASS_READ, edgev1.RateClass_RATE_CLASS_UNSPECIFIED:
	}
	return c.Read
}

// admitAddress takes from the address's buckets what is asked without a token; sign-ins are counted so with a token, too.
func (g *Gateway) admitAddress(address netip.Addr, t catalog.Terms) error {
	class, rate := "public", g.cfg.Public
	switch {
	case t.Rate == edgev1.RateClass_RATE_CLASS_SIGN_IN:
		class, rate = "sign-in", g.cfg.SignIn
	case !t.Public:
		return nil
	}
	return g.takeAddress(address, class, rate, t.Cost)
}

func (g *Gateway) takeAddress(address netip.Addr, class string, rate limit.Rate, cost float64) error {
	wait, ok := g.take(bucket{prefix(address).String(), class}, rate, cost)
	if ok {
		return nil
	}
	// Many may stand behind the address: all told the same time, they would come back at the same time.
	full := time.Duration(rate.Burst / rate.PerSecond * float64(time.Second))
	return tooFast(wait + rand.N(full/spreadPart+1))
}

// spreadPart is the part of the time in which an address's bucket fills over which those who found it empty are told to come back: 1/n.
const spreadPart = 4

// takeCaller takes from the buckets of a device's calls over HTTP; those over a connection are counted there.
func (g *Gateway) takeCaller(c auth.Caller, class edgev1.RateClass, cost float64) error {
	wait, ok := g.take(bucket{c.Workspace + "/" + c.User + "/" + c.Device, class.String()}, g.cfg.rate(class), cost)
	if ok {
		return nil
	}
	return tooFast(wait)
}

func (g *Gateway) take(b bucket, rate limit.Rate, cost float64) (wait time.Duration, ok bool) {
	g.bucketsMu.Lock()
	defer g.bucketsMu.Unlock()
	return g.buckets.Take(b, rate, cost, time.Now())
}

// bucket names the bucket of an address, or of a device that calls over HTTP.
type bucket struct{ who, class string }

// prefix is what counts as one address: of IPv6 a /64, which one household or machine has for itself.
func prefix(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
