package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
)

// Ports, on the address of each process.
const (
	portRPC      = "7000"
	portOperator = "9000" // /metrics /livez /readyz /debug/pprof
	portClients  = "8080" // of gateways
)

// composeServices adds identity, chat, docs and the gateways, in the order in which they need each other.
func (c *Cluster) composeServices() error {
	for _, set := range c.members() {
		if set.service == "" {
			continue
		}
		var stage []spec
		for i := range set.count {
			s, err := c.service(set, i+1)
			if err != nil {
				return err
			}
			stage = append(stage, s)
		}
		c.add(stage)
	}
	return nil
}

func (c *Cluster) service(set members, number int) (spec, error) {
	name, ip := set.name(number), c.cfg.IP(set.kind, number)
	f := c.files(name)
	node := map[string]any{
		"name": name,
		"rpc": map[string]any{
			"listen": ip + ":" + portRPC,
			"tls":    map[string]any{"cert": f.Cert, "key": f.Key, "ca": f.CA},
		},
		"bus": map[string]any{
			"urls": c.cfg.natsURLs(), "nkey_file": c.cfg.path("keys", set.service+".nk"),
			"ca_file": f.CA, "cert_file": f.Cert, "key_file": f.Key,
		},
		"etcd": map[string]any{
			"endpoints": c.cfg.etcdEndpoints(), "ca_file": f.CA, "cert_file": f.Cert, "key_file": f.Key,
		},
		"obs": map[string]any{"listen": ip + ":" + portOperator},
	}
	if password, ok := c.secrets["postgres."+set.service]; ok {
		node["database"] = map[string]any{"url": c.cfg.databaseURL(set.service, password, f.CA)}
	}
	config := map[string]any{"node": node}
	switch set.service {
	case "identity":
		config["identity"] = map[string]any{"key": c.secrets["identity.key"], "setup_secret": c.secrets["setup"]}
	case "presence":
		if c.cfg.Grace > 0 {
			config["presence"] = map[string]any{"grace": c.cfg.Grace.String()}
		}
	case "gateway":
		config["addr"] = ip + ":" + portClients
	}
	file, err := c.writeConfig(name, config)
	if err != nil {
		return spec{}, err
	}
	return spec{
		name: name, ip: ip, path: filepath.Join(c.cfg.Bin, set.service), args: []string{"--config", file},
		dir: c.cfg.Dir, quit: syscall.SIGTERM,
		probe: func(ctx context.Context) error {
			return httpOK(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+ip+":"+portOperator+"/readyz")
		},
	}, nil
}

// Addresses are where clients reach the gateways, host:port, in the order of their numbers.
func (c *Cluster) Addresses() []string {
	out := make([]string, c.cfg.Gateways)
	for i := range out {
		out[i] = c.cfg.IP(kindGateway, i+1) + ":" + portClients
	}
	return out
}

// Operator is where a process of ours tells its operator how it is; empty: there is none of this name.
func (c *Cluster) Operator(name string) string {
	ip := c.IP(name)
	if ip == "" {
		return ""
	}
	return "http://" + ip + ":" + portOperator
}

// SetupLink makes the first workspace, once.
func (c *Cluster) SetupLink() string {
	return fmt.Sprintf("http://%s/#setup=%s", c.Addresses()[0], c.secrets["setup"])
}
