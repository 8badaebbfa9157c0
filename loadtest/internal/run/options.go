// Package run is one run of a scenario: its options, its accounts and crowd, its phases, and the result that is reported.
package run

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options are the flags that all scenarios share.
type Options struct {
	Address     []string      `help:"Gateways, in turn for each connection." default:"http://127.0.0.1:8080" placeholder:"URL" json:"address"`
	AllowRemote bool          `help:"Allow addresses that are not this machine's. Only against a system that is yours: a load test is an attack otherwise." json:"allow_remote,omitempty"`
	Accounts    string        `help:"File of accounts, as plenumctl admin seed writes it; it is rewritten, for tokens are spent." default:"accounts.jsonl" placeholder:"FILE" json:"accounts"`
	Connections int           `help:"Connections, of all processes together; several share an account where there are more." default:"1000" short:"n" json:"connections"`
	Warmup      time.Duration `help:"Load before anything is measured." default:"5s" json:"warmup"`
	Duration    time.Duration `help:"How long to measure; at most 24h." default:"30s" short:"d" json:"duration"`
	Ramp        float64       `help:"New connections a second, each timed from when it is due; 0: all at once, 128 at the same time, each timed from its turn." default:"1000" json:"ramp"`
	Local       []netip.Addr  `help:"Source addresses, in turn; one has about 28,000 ports for each gateway. Default on loopback: 127.0.0.2 to 127.0.0.9." placeholder:"IP" json:"local,omitempty"`
	PID         []int         `help:"Processes of the server on this machine, to measure their processor time and memory." name:"pid" json:"pid,omitempty"`
	Seed        uint64        `help:"Of everything random: the same seed is the same load." default:"1" json:"seed"`
	Transport   string        `help:"How clients connect: websocket, sse or poll. The last two go through the client library." enum:"websocket,sse,poll" default:"websocket" json:"transport,omitempty"`
	Reconnect   bool          `help:"Who loses the connection comes back." default:"true" negatable:"" json:"reconnect"`

	Processes int    `help:"Generator processes. They wait for each other; start the others with --join." default:"1" json:"processes"`
	Spawn     bool   `help:"Start the other processes on this machine." default:"true" negatable:"" json:"-"`
	Listen    string `help:"Where other processes join." default:"127.0.0.1:0" json:"-"`

	JSON string `help:"Write the result here; - is standard output." placeholder:"FILE" name:"json" json:"-"`
	HTML string `help:"Write a report with plots here." placeholder:"FILE" name:"html" json:"-"`
}

// Bounds of a run.
const (
	maxDuration    = 24 * time.Hour
	maxProcesses   = 64
	perProcess     = 18_000 // connections: descriptors are bounded
	maxConnections = maxProcesses * perProcess
)

// Validate names the first option that cannot be.
func (o *Options) Validate() error {
	switch {
	case o.Connections < 1 || o.Connections > maxConnections:
		return fmt.Errorf("--connections must be 1 to %d", maxConnections)
	case o.Duration <= 0 || o.Duration > maxDuration:
		return fmt.Errorf("--duration must be more than 0 and at most %v", maxDuration)
	case o.Warmup < 0 || o.Warmup > time.Hour:
		return errors.New("--warmup must be 0 to 1h")
	case !(o.Ramp >= 0): // nor a NaN
		return errors.New("--ramp must not be negative")
	case o.Processes < 1 || o.Processes > maxProcesses:
		return fmt.Errorf("--processes must be 1 to %d", maxProcesses)
	case o.Connections > perProcess*o.Processes:
		return fmt.Errorf("%d connections need --processes %d: one process has descriptors for %d", o.Connections, (o.Connections+perProcess-1)/perProcess, perProcess)
	case len(o.Address) == 0:
		return errors.New("--address is empty")
	}
	if host, _, err := net.SplitHostPort(o.Listen); err != nil || !loopback(host) && !o.AllowRemote {
		return fmt.Errorf("--listen %q is not a port of this machine: who joins gets the accounts' tokens. --allow-remote allows it", o.Listen)
	}
	for i, a := range o.Address {
		if !strings.Contains(a, "://") {
			a = "http://" + a
		}
		u, err := url.Parse(strings.TrimSuffix(a, "/"))
		if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("--address %q is not http://host:port", o.Address[i])
		}
		if !loopback(u.Hostname()) && !o.AllowRemote {
			return fmt.Errorf("%s is not this machine. --allow-remote tests a system elsewhere, if it is yours", u.Host)
		}
		o.Address[i] = u.String()
	}
	if len(o.Local) == 0 && !slices.ContainsFunc(o.Address, func(a string) bool {
		return !strings.HasPrefix(a, "http://127.") && !strings.HasPrefix(a, "https://127.")
	}) {
		for i := byte(2); i < 10; i++ {
			o.Local = append(o.Local, netip.AddrFrom4([4]byte{127, 0, 0, i}))
		}
	}
	return nil
}

// loopback takes names for what they may become: only addresses and localhost count.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
