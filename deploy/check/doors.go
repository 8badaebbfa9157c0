package check

import (
	"fmt"
	"iter"
	"net/http"
	"slices"

	"plenum.internal/client"
)

// Mix stands for all transports: in a mix, each has its share of the devices at each gateway.
const Mix = "mix"

// known is what client.DialBy knows, but for its own choice: nobody would know then what was tried.
var known = []string{"websocket", "sse", "poll"}

// Doors are the gateways of an installation, and how devices come in by them.
type Doors struct {
	Gateways  []string // http://host:port; each gets its share of the devices
	Transport string   // by which devices connect: websocket, sse, poll or Mix; empty: as clients do without being told
	Dir       string   // for the devices' files
}

// Validate holds them to one transport, or a mix.
func (d Doors) Validate() error {
	if d.Transport != Mix && !slices.Contains(known, d.Transport) {
		return fmt.Errorf("no transport is called %q: there are %v, and %s", d.Transport, known, Mix)
	}
	return nil
}

func (d Doors) transports() []string {
	if d.Transport == Mix {
		return known
	}
	return []string{d.Transport}
}

// Place is the gateway of device n, and the transport by which it connects.
func (d Doors) Place(n int) (gateway int, transport string) {
	gateway = n % len(d.Gateways)
	all := d.transports()
	return gateway, all[(n/len(d.Gateways)+gateway)%len(all)]
}

// Door leads device n to its gateway first, and to the others when that one fails.
func (d Doors) Door(n int) Door {
	gateway, transport := d.Place(n)
	others := append(slices.Clone(d.Gateways[gateway+1:]), d.Gateways[:gateway]...)
	return Door{Server: d.Gateways[gateway], Others: others, Dir: d.Dir, Dial: dialer(transport)}
}

// Ways are all combinations of a gateway, no other one, and a transport, by their names.
func (d Doors) Ways() iter.Seq2[string, Door] {
	return func(yield func(string, Door) bool) {
		for _, gateway := range d.Gateways {
			for _, transport := range d.transports() {
				if !yield(gateway+" by "+transport, Door{Server: gateway, Dir: d.Dir, Dial: dialer(transport)}) {
					return
				}
			}
		}
	}
}

func dialer(transport string) client.Dialer {
	if transport == "" {
		return nil
	}
	return client.DialBy(transport, &http.Client{})
}
