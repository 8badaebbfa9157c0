package crowd

import (
	"net/http"

	"plenum.internal/client"
)

// Mix stands for all transports: in a mix, each has its share of the devices at each gateway.
const Mix = "mix"

// known is what client.DialBy knows, but for its own choice: nobody would know then what was tried.
var known = []string{"websocket", "sse", "poll"}

// transports are those of the crowd.
func (c Config) transports() []string {
	if c.Transport == Mix {
		return known
	}
	return []string{c.Transport}
}

// place is the gateway of device n, and the transport by which it connects.
func (c Config) place(n int) (gateway int, transport string) {
	gateway = n % len(c.Gateways)
	all := c.transports()
	return gateway, all[(n/len(c.Gateways)+gateway)%len(all)]
}

func dialer(transport string) client.Dialer { return client.DialBy(transport, &http.Client{}) }
