package space_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"plenum.internal/deploy/faults/space"
	"plenum.internal/deploy/faults/wire"
)

var (
	clientAddress = netip.MustParseAddr("10.9.0.1")
	serverAddress = netip.MustParseAddr("10.9.0.2")
	ownAddress    = netip.MustParseAddr("10.9.1.1")
)

// plug makes a network with an address on a switch.
func plug(t *testing.T, s *wire.Switch, address netip.Addr) *space.Network {
	t.Helper()
	n, err := space.NewNetwork(t.Context(), netip.PrefixFrom(address, 16))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Plug(address, n.Device); err != nil {
		t.Fatal(err)
	}
	return n
}

func newSwitch(t *testing.T) *wire.Switch {
	t.Helper()
	needsRoot(t)
	s := &wire.Switch{}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connected are a switch, and a client and a server in networks of their own that have a connection over it.
func connected(t *testing.T) (s *wire.Switch, client, server *process) {
	t.Helper()
	s = newSwitch(t)
	client, server = start(t, plug(t, s, clientAddress), "client"), start(t, plug(t, s, serverAddress), "server")
	client.does("dial "+serverAddress.String(), "done")
	client.does("send hello", "done")
	client.does("receive", "hello")
	server.says("hello")
	return s, client, server
}

func add(t *testing.T, s *wire.Switch, r wire.Rule) (remove func()) {
	t.Helper()
	remove, err := s.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

func TestNetworksReachEachOtherOverTheSwitchAlone(t *testing.T) {
	s, client, _ := connected(t)
	if carried, _ := s.Counts(); carried < 5 { // a handshake, and a line there and back
		t.Errorf("%d packets went over the switch", carried)
	}
	client.does("dial 127.0.0.1", "refused") // the client's own loopback, which is up; the server is not there
}

func TestACutConnectionIsReset(t *testing.T) {
	s, client, server := connected(t)
	restore := add(t, s, wire.Rule{Cut: true})
	switch got := client.answer("send lost"); got {
	case "done":
		client.does("receive", "reset")
	case "reset": // by its acknowledgement of "hello", which TCP puts off for a moment
	default:
		t.Errorf("send lost: %q", got)
	}
	client.does("dial "+serverAddress.String(), "refused")
	restore()
	client.does("dial "+serverAddress.String(), "done")
	client.does("send again", "done")
	client.does("receive", "again")
	server.says("again") // and has not said "lost"
}

func TestADownWayCarriesNothingAndTheOtherDoes(t *testing.T) {
	s, client, server := connected(t)
	restore := add(t, s, wire.Rule{From: []netip.Addr{serverAddress}, To: []netip.Addr{clientAddress}, Down: true})
	client.does("send one", "done")
	server.says("one")
	client.does("listen", "silence")
	restore()
	client.does("receive", "one") // TCP has sent it again
}

func TestADelayIsFeltBothWays(t *testing.T) {
	s, client, _ := connected(t)
	const delay = 50 * time.Millisecond
	add(t, s, wire.Rule{Delay: delay})
	begin := time.Now()
	client.does("send slow", "done")
	client.does("receive", "slow")
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("there and back in %v", took)
	}
}

func TestTheOwnNetworkReachesTheOthers(t *testing.T) {
	s := newSwitch(t)
	server := start(t, plug(t, s, serverAddress), "server")
	device, err := space.OpenDevice(t.Context(), netip.PrefixFrom(ownAddress, 16))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Plug(ownAddress, device); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp4", net.JoinHostPort(serverAddress.String(), port), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if host, _, _ := net.SplitHostPort(c.LocalAddr().String()); host != ownAddress.String() {
		t.Errorf("the connection is from %s", host)
	}
	fmt.Fprintln(c, "hello")
	server.says("hello")
	if answer, err := receive(c, patience); err != nil || answer != "hello" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestAnAddressThatIsNoneIsAnError(t *testing.T) {
	needsRoot(t)
	if _, err := space.NewNetwork(t.Context(), netip.Prefix{}); err == nil {
		t.Error("no error")
	}
}
