package deploy

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"plenum.internal/chat"
	"plenum.internal/docs"
	"plenum.internal/gateway"
	"plenum.internal/mesh/node"
	"plenum.internal/presence"
	"plenum.internal/services/identity"
)

// Config of the program. Where everything runs in one process, node is not used but for its obs.
type Config struct {
	Target     string          `koanf:"target" doc:"what runs in this process: all, gateway, chat, docs, presence or identity"`
	Addr       string          `koanf:"addr" doc:"address for clients, host:port"`
	SelfSigned bool            `koanf:"self_signed" doc:"serve clients by HTTPS with a certificate that is made in the data folder, for trying; target all alone. Another one: gateway.tls"`
	Data       string          `koanf:"data" doc:"folder with everything that is kept; of one process alone"`
	Gateway    gateway.Config  `koanf:"gateway"`
	Chat       chat.Config     `koanf:"chat"`
	Docs       docs.Config     `koanf:"docs"`
	Presence   presence.Config `koanf:"presence"`
	Identity   identity.Config `koanf:"identity"`
	Node       node.Config     `koanf:"node"`
}

// DefaultConfig is everything on this machine alone.
func DefaultConfig() Config {
	c := Config{
		Target: "all", Addr: "127.0.0.1:8080", Data: "./data",
		Gateway: gateway.DefaultConfig(), Chat: chat.DefaultConfig(), Docs: docs.DefaultConfig(), Presence: presence.DefaultConfig(), Identity: identity.DefaultConfig(), Node: node.DefaultConfig(),
	}
	c.Gateway.Services = []string{"identity", "chat", "docs", "presence"}
	c.Identity.KeyFile = "identity.key" // in the data folder
	c.Identity.Generate = true
	return c
}

// Validate checks what no part checks itself.
func (c Config) Validate() error {
	if c.Target != "all" && targets[c.Target] == nil {
		return fmt.Errorf("target is %q: set all, gateway, chat, docs, presence or identity", c.Target)
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("addr is %q: set host:port, such as 127.0.0.1:8080", c.Addr)
	}
	if c.Data == "" {
		return fmt.Errorf("data is empty: name a folder")
	}
	if c.SelfSigned && (c.Target != "all" || c.Gateway.TLS.Enabled()) {
		return fmt.Errorf("self_signed makes a certificate for target all where gateway.tls names none: set one of them")
	}
	return nil
}

// within makes a relative path one of the data folder.
func within(data, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(data, path)
}

// origin is the address as a person opens it.
func origin(addr string, encrypted bool) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		addr = net.JoinHostPort("localhost", port)
	}
	if encrypted {
		return "https://" + strings.TrimSuffix(addr, ":443")
	}
	return "http://" + strings.TrimSuffix(addr, ":80")
}
