package cluster

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// databases are the services that keep one.
var databases = []string{"identity", "chat", "docs", "presence"}

// credentials makes every certificate, key and password of a new cluster. They are found again by their file names.
func (c *Cluster) credentials() error {
	ca, err := newAuthority(c.cfg.path("certs"))
	if err != nil {
		return err
	}
	who, err := postgresOwner()
	if err != nil {
		return err
	}
	uid, gid := os.Getuid(), os.Getgid()
	if err := c.cfg.makePostgresHome(ca, who); err != nil {
		return err
	}
	for _, set := range c.members() {
		for i := range set.count {
			if err := ca.issue(ca.dir, set.name(i+1), set.service, c.cfg.IP(set.kind, i+1), uid, gid); err != nil {
				return err
			}
		}
	}
	for name, service := range map[string]string{operator: operator, root: ""} {
		if err := ca.issue(ca.dir, name, service, loopback.String(), uid, gid); err != nil {
			return err
		}
	}
	keys, err := natsKeys(c.cfg.path("keys"), c.cfg.busPermissions())
	if err != nil {
		return err
	}
	for service, public := range keys {
		c.secrets["nats."+service] = public
	}
	for _, service := range databases {
		c.secrets["postgres."+service] = secret()
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	c.secrets["identity.key"] = base64.StdEncoding.EncodeToString(key)
	c.secrets["setup"] = secret()
	return nil
}

// members are the sets of equal processes.
type members struct {
	base    string
	service string // "" for what is not ours
	kind    int
	count   int
	port    string // where they listen, among others
}

func (m members) name(number int) string { return fmt.Sprintf("%s-%d", m.base, number) }

func (c *Cluster) members() []members {
	all := []members{
		{"nats", "", kindNATS, natsServers, "4222"},
		{"etcd", "", kindEtcd, etcdServers, "2379"},
		{"identity", "identity", kindIdentity, c.cfg.Replicas, portRPC},
		{"chat", "chat", kindChat, c.cfg.Replicas, portRPC},
		{"docs", "docs", kindDocs, c.cfg.Replicas, portRPC},
		{"presence", "presence", kindPresence, c.cfg.Replicas, portRPC},
	}
	for i, name := range c.cfg.Extra {
		all = append(all, members{name, name, kindExtra + i, c.cfg.Replicas, portRPC})
	}
	return append(all, members{"gateway", "gateway", kindGateway, c.cfg.Gateways, portClients})
}

func (c *Cluster) files(name string) files {
	return files{Cert: c.cfg.path("certs", name+".pem"), Key: c.cfg.path("certs", name+".key"), CA: c.cfg.path("certs", "ca.pem")}
}

// compose makes the processes and their configuration files, in the order of their start.
func (c *Cluster) compose() error {
	who, err := postgresOwner()
	if err != nil {
		return err
	}
	keys := map[string]string{}
	for service := range c.cfg.busPermissions() {
		keys[service] = c.secrets["nats."+service]
	}
	var base []spec
	for i := range natsServers {
		s, err := c.cfg.nats(i+1, c.files(fmt.Sprintf("nats-%d", i+1)), keys)
		if err != nil {
			return err
		}
		base = append(base, s)
	}
	for i := range etcdServers {
		s, err := c.cfg.etcd(i+1, c.files(fmt.Sprintf("etcd-%d", i+1)))
		if err != nil {
			return err
		}
		base = append(base, s)
	}
	s, err := c.cfg.postgres(who)
	if err != nil {
		return err
	}
	c.add(append(base, s))
	return c.composeServices()
}

// add makes a stage of processes that start together.
func (c *Cluster) add(stage []spec) {
	launch := c.cfg.Launch
	if launch == nil {
		launch = func(_ string, cmd *exec.Cmd) error { return cmd.Start() }
	}
	var names []string
	for _, s := range stage {
		c.processes[s.name] = &process{spec: s, log: c.Log(s.name), launch: launch}
		names = append(names, s.name)
	}
	c.order = append(c.order, names...)
	c.stages = append(c.stages, names)
}

// writeConfig keeps a service's configuration as JSON, which is YAML too.
func (c *Cluster) writeConfig(name string, config map[string]any) (path string, err error) {
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	path = c.cfg.path("config", name+".yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}
