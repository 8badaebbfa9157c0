package check

import (
	"fmt"
	"slices"
	"testing"
)

// TestAMixHasEachTransportAtEachGateway: a fault of one gateway is to meet devices of every kind.
func TestAMixHasEachTransportAtEachGateway(t *testing.T) {
	for gateways := 1; gateways <= 4; gateways++ {
		doors := Doors{Gateways: make([]string, gateways), Transport: Mix}
		devices, pairs := map[string]int{}, map[string]int{}
		for n := range 3 * gateways {
			gateway, transport := doors.Place(n)
			devices[transport]++
			pairs[fmt.Sprint(gateway, transport)]++
		}
		if len(devices) != 3 || len(pairs) != 3*gateways {
			t.Errorf("%d gateways have %v", gateways, pairs)
		}
	}
}

func TestOneTransportIsThatOfAll(t *testing.T) {
	doors := Doors{Gateways: make([]string, 3), Transport: "poll"}
	for n := range 12 {
		if gateway, transport := doors.Place(n); gateway != n%3 || transport != "poll" {
			t.Errorf("device %d is at gateway %d by %s", n, gateway, transport)
		}
	}
}

func TestADoorLeadsToAllGateways(t *testing.T) {
	doors := Doors{Gateways: []string{"a", "b", "c"}, Transport: Mix}
	for n, want := range [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"a", "b", "c"}} {
		door := doors.Door(n)
		if got := append([]string{door.Server}, door.Others...); !slices.Equal(got, want) {
			t.Errorf("device %d: %v", n, got)
		}
	}
	var ways []string
	for way, door := range doors.Ways() {
		if len(door.Others) > 0 {
			t.Errorf("%s goes on to %v", way, door.Others)
		}
		ways = append(ways, way)
	}
	if len(ways) != 9 || ways[0] != "a by websocket" {
		t.Errorf("%q", ways)
	}
}

func TestTransportsAreChecked(t *testing.T) {
	for transport, ok := range map[string]bool{Mix: true, "websocket": true, "sse": true, "poll": true, "": false, "auto": false} {
		if err := (Doors{Transport: transport}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", transport, err)
		}
	}
}
