package crowd

import (
	"fmt"
	"testing"
)

// TestAMixHasEachTransportAtEachGateway: a fault of one gateway is to meet devices of every kind.
func TestAMixHasEachTransportAtEachGateway(t *testing.T) {
	for gateways := 1; gateways <= 4; gateways++ {
		cfg := DefaultConfig()
		cfg.Gateways = make([]string, gateways)
		devices, pairs := map[string]int{}, map[string]int{}
		for n := range 3 * gateways {
			gateway, transport := cfg.place(n)
			devices[transport]++
			pairs[fmt.Sprint(gateway, transport)]++
		}
		if len(devices) != 3 || len(pairs) != 3*gateways {
			t.Errorf("%d gateways have %v", gateways, pairs)
		}
	}
}

func TestOneTransportIsThatOfAll(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Transport, cfg.Gateways = "poll", make([]string, 3)
	for n := range 12 {
		if gateway, transport := cfg.place(n); gateway != n%3 || transport != "poll" {
			t.Errorf("device %d is at gateway %d by %s", n, gateway, transport)
		}
	}
}

func TestTransportsAreChecked(t *testing.T) {
	for transport, ok := range map[string]bool{Mix: true, "websocket": true, "sse": true, "poll": true, "": false, "auto": false} {
		cfg := DefaultConfig()
		cfg.Transport = transport
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", transport, err)
		}
	}
}
