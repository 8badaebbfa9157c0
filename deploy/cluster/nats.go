package cluster

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nats-io/nkeys"
)

// natsServers is how many keep a quorum's habits, though NATS without persistence needs none.
const natsServers = 3

// permissions of one service on the bus: what is not allowed here is denied.
type permissions struct{ publish, subscribe []string }

// busPermissions follows the subjects of mesh/topic: plenum.<workspace>.<kind>.<id> for events, with the kind beginning
// with the service's name, and plenum._.digest.<service>.<partition> and plenum._.derived.<service>.<partition>. A service speaks for itself alone.
var busPermissions = map[string]permissions{
	"identity": {
		publish:   []string{"plenum.*.identity.>", "plenum._.digest.identity.*"},
		subscribe: []string{"plenum._.digest.identity.*"},
	},
	"chat": {
		publish:   []string{"plenum.*.chat.>", "plenum._.digest.chat.*", "plenum._.derived.chat.*"},
		subscribe: []string{"plenum._.digest.chat.*", "plenum._.digest.identity.*", "plenum.*.identity.>", "plenum.*.chat.>"},
	},
	"docs": {
		publish:   []string{"plenum.*.docs.>", "plenum._.digest.docs.*"},
		subscribe: []string{"plenum._.digest.docs.*", "plenum._.signal.*.docs.document.*"}, // where people are in documents
	},
	"presence": {}, // listens to nobody there
	"gateway": {
		publish:   []string{"plenum._.signal.>"}, // of clients
		subscribe: []string{"plenum.>"},
	},
}

// busPermissions are those of this cluster's services.
func (c Config) busPermissions() map[string]permissions {
	all := maps.Clone(busPermissions)
	for _, name := range c.Extra {
		all[name] = permissions{
			publish: []string{"plenum.*." + name + ".>", "plenum._.digest." + name + ".*"}, subscribe: []string{"plenum._.digest." + name + ".*"},
		}
	}
	return all
}

// natsKeys makes a signing key for each service and returns its public half; the seed goes to keys/<service>.nk.
func natsKeys(dir string, services map[string]permissions) (map[string]string, error) {
	public := map[string]string{}
	for service := range services {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return nil, fmt.Errorf("nkey of %s: %w", service, err)
		}
		seed, err := pair.Seed()
		if err != nil {
			return nil, fmt.Errorf("nkey of %s: %w", service, err)
		}
		if err := os.WriteFile(filepath.Join(dir, service+".nk"), seed, 0o600); err != nil {
			return nil, fmt.Errorf("nkey of %s: %w", service, err)
		}
		if public[service], err = pair.PublicKey(); err != nil {
			return nil, fmt.Errorf("nkey of %s: %w", service, err)
		}
	}
	return public, nil
}

func (c Config) natsURLs() []string {
	urls := make([]string, natsServers)
	for i := range urls {
		urls[i] = "tls://" + c.IP(kindNATS, i+1) + ":4222"
	}
	return urls
}

func (c Config) nats(number int, f files, keys map[string]string) (spec, error) {
	ip := c.IP(kindNATS, number)
	name := fmt.Sprintf("nats-%d", number)
	tls := fmt.Sprintf("cert_file: %q\n    key_file: %q\n    ca_file: %q\n    verify: true", f.Cert, f.Key, f.CA)
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %s\nlisten: \"%s:4222\"\nmax_payload: 1MB\nwrite_deadline: \"5s\"\nping_interval: \"5s\"\nlogtime_utc: true\n", name, ip)
	fmt.Fprintf(&b, "tls {\n    %s\n}\n", tls)
	fmt.Fprintf(&b, "cluster {\n  name: plenum\n  listen: \"%s:6222\"\n  tls {\n    %s\n  }\n  routes: [\n", ip, tls)
	for i := range natsServers {
		if i+1 != number {
			fmt.Fprintf(&b, "    \"tls://%s:6222\"\n", c.IP(kindNATS, i+1))
		}
	}
	fmt.Fprintf(&b, "  ]\n}\nauthorization {\n  users: [\n")
	for _, service := range slices.Sorted(maps.Keys(keys)) {
		p := c.busPermissions()[service]
		fmt.Fprintf(&b, "    # %s\n    { nkey: %s, permissions: { publish: { allow: %s }, subscribe: { allow: %s } } }\n",
			service, keys[service], quoted(p.publish), quoted(p.subscribe))
	}
	fmt.Fprintf(&b, "  ]\n}\n")
	file := c.path("config", name+".conf")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return spec{
		name: name, ip: ip, path: filepath.Join(c.Bin, "nats-server"), args: []string{"-c", file}, dir: c.Dir, quit: syscall.SIGTERM,
		probe: func(ctx context.Context) error { return natsInfo(ctx, ip+":4222") },
	}, nil
}

// natsInfo waits for the line by which a NATS server greets.
func natsInfo(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(conn).ReadString(' ')
	if err == nil && line != "INFO " {
		err = fmt.Errorf("%s is no NATS server", address)
	}
	return err
}

func quoted(subjects []string) string {
	out := make([]string, len(subjects))
	for i, s := range subjects {
		out[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
