package gateway

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// foreign is what is told to a page of an origin that is not admitted.
const foreign = "Pages of this origin may not talk to this Plenum. Its operator names them in gateway.origins, or this host in gateway.hosts if that is set."

// originAllowed admits requests without an Origin (no browser), from the gateway's own host, and from configured pages. Whoever is on
// the way can make up a page of http://host, so that it is not the host's own where clients are known to come by TLS.
func (g *Gateway) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null" too
	}
	own := strings.EqualFold(u.Host, r.Host) && g.isHost(u.Hostname()) && !g.atContent(r) && (u.Scheme == "https" || u.Scheme == "http" && !g.encrypted(r))
	return own || slices.ContainsFunc(g.cfg.Origins, func(o string) bool { return strings.EqualFold(o, origin) })
}

// isHost reports whether a page of this host may be the gateway's own. Nobody else can have an address, or localhost, lead here.
func (g *Gateway) isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || len(g.cfg.Hosts) == 0 || strings.EqualFold(name, "localhost") {
		return true
	}
	return slices.ContainsFunc(g.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// refuseOrigin answers a page of an origin that is not admitted. That goes on the audit log; the operator's log tells of those whose host is not named, which may be
// a name that the configuration forgot.
func (g *Gateway) refuseOrigin(w http.ResponseWriter, r *http.Request) {
	g.deps.Refusals.Origin(g.address(r))
	if u, err := url.Parse(r.Header.Get("Origin")); err == nil && strings.EqualFold(u.Host, r.Host) && !g.isHost(u.Hostname()) {
		g.strangers.note(g.log, u.Hostname(), time.Now())
	}
	http.Error(w, foreign, http.StatusForbidden)
}

const (
	strangersEvery = time.Minute
	maxStrangers   = 8   // hosts that are told in that time
	maxHost        = 253 // bytes of a name of DNS; what is longer is cut
)

// strangers tells of hosts that were refused, of each once in a minute that begins with the first of them. Anybody may ask by any number of names: of those beyond maxStrangers only how often is told.
type strangers struct {
	mu    sync.Mutex
	begin time.Time // of the minute
	told  []string  // in it
	more  int       // refusals since the last line that are in none
}

func (s *strangers) note(log *slog.Logger, host string, now time.Time) {
	if len(host) > maxHost {
		host = strings.ToValidUTF8(host[:maxHost], "") + "…"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.begin) >= strangersEvery {
		s.begin, s.told = now, s.told[:0]
	}
	if len(s.told) == maxStrangers || slices.ContainsFunc(s.told, func(t string) bool { return strings.EqualFold(t, host) }) {
		s.more++
		return
	}
	s.told = append(s.told, strings.Clone(host))
	log.Warn("refused a page whose host gateway.hosts does not name; if it is this Plenum's, add it there", "host", host, "more_since", s.more)
	s.more = 0
}
