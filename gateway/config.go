package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/limit"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Config is what an operator may set. DefaultConfig is what a laptop and a cluster both start from.
type Config struct {
	Listen string `koanf:"listen" doc:"address for clients, host:port"`
	TLS    TLS    `koanf:"tls"`
	// Origins are the pages that may talk to the gateway from a browser, "https://chat.example.com". The gateway's own host always may.
	Origins []string `koanf:"origins" doc:"web origins admitted besides the gateway's own host, scheme://host[:port]"`
	// Hosts is what a page's own host is compared with, besides the request's: whoever owns a name may have it lead to any address (DNS rebinding).
	Hosts []string `koanf:"hosts" doc:"names under which browsers find the gateway, without port; addresses and localhost are admitted besides. Empty: any name, so that a foreign page whose name is made to lead here may make calls that need no token"`
	// ContentOrigin keeps what users made apart from the application: a page in it has nothing to steal there.
	ContentOrigin string `koanf:"content_origin" doc:"origin for what users made, scheme://host[:port], on a host without cookies that leads here, too; name the application's in origins. Empty: it comes from the application's own, in a sandbox"`
	// Proxies are believed in X-Forwarded-For and -Proto.
	Proxies []string `koanf:"proxies" doc:"reverse proxies that are believed in X-Forwarded-For, as CIDR prefixes"`
	// CountryHeader is believed from the proxies alone.
	CountryHeader string `koanf:"country_header" doc:"header in which the proxies tell the country that a client connects from, as two letters (CF-IPCountry); it must be one that they take off what clients send. Empty: it isn't known"`

	// Offline is the kill switch of a service worker that does harm: pages that it keeps come from it, not from the gateway.
	Offline bool `koanf:"offline" doc:"browsers keep the web application, so that it starts at once, and without a network. false: they are freed of what they keep, at the next load, and go on without"`

	// Services: a client that came earlier would be told that what they offer does not exist.
	Services []string `koanf:"services" doc:"services that must have been seen before clients are let in"`

	MaxSessions        int `koanf:"max_sessions" doc:"sessions at the same time; beyond: 4101"`
	MaxSessionsUser    int `koanf:"max_sessions_user" doc:"of them of one user; beyond: 4101"`
	MaxSessionsAddress int `koanf:"max_sessions_address" doc:"of them from one address, of IPv6 from a /64, as proxies tell it; beyond: 4101"`
	MaxCalls           int `koanf:"max_calls" doc:"calls to services at the same time, three quarters of them without a token; beyond: 200"`
	// MaxViews is below what one stream carries (topic.MaxEachViews): all views may be of one service's only node.
	MaxViews     int `koanf:"max_views" doc:"topics of the class VIEW that are followed, in all sessions; beyond: 200"`
	MaxExchanges int `koanf:"max_exchanges" doc:"requests of HTTP routes at the same time, each half a MiB of memory, here and at its service together, while one side is slow, and a quarter more of an upload over HTTP/2; beyond: 200. An eighth of them from one address without a token, a sixteenth of one user; beyond: 202"`
	// One address may be a company's, where all come back at once after a power cut.
	MaxPlain        int `koanf:"max_plain" doc:"connections that are and carry no sessions: new ones, and those of HTTP. Beyond, one that is idle is closed; is none: 503"`
	MaxPlainAddress int `koanf:"max_plain_address" doc:"such connections from one address, of IPv6 from a /64; those of proxies are not counted so"`
	// A connection of HTTP/2 carries a hundred requests, and one of a proxy those of many clients.
	MaxRequests        int `koanf:"max_requests" doc:"requests over HTTP being answered at the same time; beyond: 503"`
	MaxRequestsAddress int `koanf:"max_requests_address" doc:"of them from one address, of IPv6 from a /64, as proxies tell it; beyond: 503"`

	Roster string `koanf:"roster" doc:"service that is told of sessions; empty: none is"`

	// FirstBytes is little: nobody knows yet who sends it. Hello and a log-in's Subscribe have room in it.
	FirstBytes  int `koanf:"first_bytes" doc:"a client's first message, before its token is verified [4301]"`
	IntakeBytes int `koanf:"intake_bytes" doc:"what clients have sent and is not worked off, in all: messages that are not finished, calls not answered; beyond: 4101 and 200. A quarter of it for all without a token, a sixteenth for such at one address, a thirty-second for one user"`
	ShedBytes   int `koanf:"shed_bytes" doc:"live memory of the process beyond which nothing new is taken, sessions [4101] and calls without a token [200], until it is an eighth less; 0: three quarters of GOMEMLIMIT, or never where that is not set"`
	MaxReads    int `koanf:"max_reads" doc:"reads of the log at the same time, for hubs; the others wait"`

	Ring      int           `koanf:"ring" doc:"recent events that a topic with subscribers keeps"`
	RingBytes int           `koanf:"ring_bytes" doc:"bytes of them, for each topic"`
	RingTotal int           `koanf:"ring_total" doc:"bytes of them, for all topics; beyond, each keeps a few"`
	Linger    time.Duration `koanf:"linger" doc:"how long a topic is kept after its last subscriber, for those who reconnect"`
	// Recheck are the ages at which new hubs are compared with the log again: their interest may have reached a distant NATS server late.
	Recheck []time.Duration `koanf:"recheck" doc:"when new topics are compared with the log again; empty where NATS runs in the process"`

	// A stream's end is not a break: its client comes back at once, to any gateway, and goes on from where it was.
	StreamLife time.Duration `koanf:"stream_life" doc:"how long a stream of server-sent events lasts before its client is told to open the next"`

	Window time.Duration `koanf:"window" doc:"how long events are gathered before they are written to a connection"`
	Drain  time.Duration `koanf:"drain" doc:"over how long clients are told to reconnect elsewhere when the gateway stops, and how long requests of HTTP routes may take then"`

	Read   limit.Rate `koanf:"read" doc:"calls of class READ, for each session"`
	Write  limit.Rate `koanf:"write" doc:"calls of class WRITE, for each session"`
	Bulk   limit.Rate `koanf:"bulk" doc:"calls of class BULK, for each session"`
	SignIn limit.Rate `koanf:"sign_in" doc:"calls of class SIGN_IN, for each address"`
	Public limit.Rate `koanf:"public" doc:"other calls without a token, for each address"`
	Accept limit.Rate `koanf:"accept" doc:"new connections, for each address"`

	Limits Limits `koanf:"limits"`
}

// Limits are those of the protocol, told in Welcome.
type Limits struct {
	MessageBytes  uint32 `koanf:"message_bytes" doc:"a client's message [4301]"`
	Calls         uint32 `koanf:"calls" doc:"calls executing at the same time; twice as many with those that wait [202]"`
	Subscriptions uint32 `koanf:"subscriptions" doc:"topics in mode EVENTS [342]"`
	Heads         uint32 `koanf:"heads" doc:"topics in mode HEADS, members of bundles included [342]"`
	Signals       uint32 `koanf:"signals" doc:"signals a second"`
	QueueBytes    uint32 `koanf:"queue_bytes" doc:"bytes that may wait for a slow client before its topics stop [300]; four times as much closes [4002]"`
	ReplayBytes   uint32 `koanf:"replay_bytes" doc:"replay for each subscription [322]"`
}

// DefaultConfig has the protocol's limits.
func DefaultConfig() Config {
	return Config{
		Listen:      "127.0.0.1:8080",
		Offline:     true,
		MaxSessions: 100_000, MaxSessionsUser: 20_000, MaxSessionsAddress: 50_000, MaxCalls: 10_000, MaxViews: 50_000, MaxReads: 64, MaxExchanges: 2048,
		MaxPlain: 32_768, MaxPlainAddress: 16_384, MaxRequests: 16_384, MaxRequestsAddress: 8192, FirstBytes: 64 << 10, IntakeBytes: 256 << 20,
		Ring: 256, RingBytes: 256 << 10, RingTotal: 256 << 20, Linger: 10 * time.Second,
		Recheck:    []time.Duration{100 * time.Millisecond, time.Second},
		Roster:     "presence",
		StreamLife: 10 * time.Minute,
		Window:     10 * time.Millisecond, Drain: 10 * time.Second,
		Read: limit.Rate{PerSecond: 50, Burst: 200}, Write: limit.Rate{PerSecond: 20, Burst: 100}, Bulk: limit.Rate{PerSecond: 2, Burst: 20},
		// One address may be a company's: 10,000 people there refresh 17 times a second, and all come back after a power cut.
		// Guessing is identity's to stop.
		SignIn: limit.Rate{PerSecond: 100, Burst: 2000}, Public: limit.Rate{PerSecond: 100, Burst: 2000}, Accept: limit.Rate{PerSecond: 1500, Burst: 20_000},
		Limits: Limits{
			MessageBytes: 1<<20 + 64<<10, Calls: 32, Subscriptions: 200, Heads: 5000, Signals: 20, QueueBytes: 256 << 10, ReplayBytes: 1 << 20,
		},
	}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	numbers := map[string]int{
		"max_sessions": c.MaxSessions, "max_sessions_user": c.MaxSessionsUser, "max_sessions_address": c.MaxSessionsAddress, "max_requests": c.MaxRequests, "max_requests_address": c.MaxRequestsAddress,
		"max_calls": c.MaxCalls, "max_views": c.MaxViews, "max_reads": c.MaxReads, "max_exchanges": c.MaxExchanges, "first_bytes": c.FirstBytes, "max_plain": c.MaxPlain, "max_plain_address": c.MaxPlainAddress, "ring": c.Ring, "ring_bytes": c.RingBytes, "ring_total": c.RingTotal,
		"limits.message_bytes": int(c.Limits.MessageBytes), "limits.calls": int(c.Limits.Calls), "limits.subscriptions": int(c.Limits.Subscriptions),
		"limits.heads": int(c.Limits.Heads), "limits.signals": int(c.Limits.Signals), "limits.queue_bytes": int(c.Limits.QueueBytes), "limits.replay_bytes": int(c.Limits.ReplayBytes),
	}
	for _, name := range slices.Sorted(maps.Keys(numbers)) { // the same one is told each time
		if numbers[name] <= 0 {
			return fmt.Errorf("gateway.%s: must be positive", name)
		}
	}
	rates := map[string]limit.Rate{"read": c.Read, "write": c.Write, "bulk": c.Bulk, "sign_in": c.SignIn, "public": c.Public, "accept": c.Accept}
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		if rates[name].PerSecond <= 0 || rates[name].Burst < 1 {
			return fmt.Errorf("gateway.%s: per_second must be positive and burst at least 1", name)
		}
	}
	if shares := c.intake(); shares.User < 2*int(c.Limits.MessageBytes) || shares.Address < 2*c.FirstBytes {
		return fmt.Errorf("gateway.intake_bytes: must be at least %d, so that everybody's share has room for two messages",
			max(userShare*2*int(c.Limits.MessageBytes), addressShare*2*c.FirstBytes))
	}
	if err := c.TLS.validate(); err != nil {
		return err
	}
	if c.ShedBytes < 0 {
		return errors.New("gateway.shed_bytes: must not be negative")
	}
	if c.StreamLife < time.Minute {
		return errors.New("gateway.stream_life must be a minute or more")
	}
	if c.Window <= 0 || c.Drain < 0 || c.Linger < 0 {
		return errors.New("gateway.window must be positive, drain and linger not negative")
	}
	for _, o := range c.Origins {
		if !isOrigin(o) {
			return fmt.Errorf("gateway.origins: %q is not scheme://host[:port]", o)
		}
	}
	for _, h := range c.Hosts {
		if u, err := url.Parse("http://" + h); err != nil || h == "" || u.Hostname() != h || strings.ContainsAny(h, "* ,") || strings.HasSuffix(h, ".") || strings.ContainsFunc(h, func(r rune) bool { return r > unicode.MaxASCII }) {
			return fmt.Errorf("gateway.hosts: %q is not the name of a host: write chat.example.com, without scheme and port, as browsers send it (xn--…)", h)
		}
	}
	if o := c.ContentOrigin; o != "" && (!isOrigin(o) || slices.ContainsFunc(c.Origins, func(x string) bool { return strings.EqualFold(x, o) })) {
		return fmt.Errorf("gateway.content_origin: %q is not scheme://host[:port], or is among the origins that may talk to the gateway", o)
	}
	if h := c.CountryHeader; h != "" && (len(c.Proxies) == 0 || strings.ContainsFunc(h, func(x rune) bool { return !headerRune(x) })) {
		return fmt.Errorf("gateway.country_header: %q is no name of a header, or there are no proxies that would be believed in it", h)
	}
	for _, p := range c.Proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return fmt.Errorf("gateway.proxies: %q is not a prefix like 10.0.0.0/8", p)
		}
	}
	return nil
}

func headerRune(x rune) bool {
	return x == '-' || x == '_' || x >= '0' && x <= '9' || x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z'
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(s, "*?# ;,")
}

// Parts of IntakeBytes: 1/n of it.
const (
	strangersShare = 4
	addressShare   = 16
	userShare      = 32
)

func (c Config) intake() intake.Limits {
	n := c.IntakeBytes
	return intake.Limits{Total: n, Strangers: n / strangersShare, Address: n / addressShare, User: n / userShare}
}

func (l Limits) proto() *edgev1.Limits {
	return &edgev1.Limits{
		MessageBytes: l.MessageBytes, Calls: l.Calls, Subscriptions: l.Subscriptions, Heads: l.Heads,
		SignalsPerS: l.Signals, QueueBytes: l.QueueBytes, ReplayBytes: l.ReplayBytes,
	}
}
