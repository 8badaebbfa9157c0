package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const etcdServers = 3

func (c Config) etcdEndpoints() []string {
	urls := make([]string, etcdServers)
	for i := range urls {
		urls[i] = "https://" + c.IP(kindEtcd, i+1) + ":2379"
	}
	return urls
}

func (c Config) etcd(number int, f files) (spec, error) {
	ip := c.IP(kindEtcd, number)
	name := fmt.Sprintf("etcd-%d", number)
	members := make([]string, etcdServers)
	for i := range members {
		members[i] = fmt.Sprintf("etcd-%d=https://%s:2380", i+1, c.IP(kindEtcd, i+1))
	}
	security := map[string]any{"cert-file": f.Cert, "key-file": f.Key, "trusted-ca-file": f.CA, "client-cert-auth": true}
	// etcd reads YAML, and so JSON.
	text, err := json.MarshalIndent(map[string]any{
		"name":                        name,
		"data-dir":                    c.path("data", name),
		"listen-peer-urls":            "https://" + ip + ":2380",
		"initial-advertise-peer-urls": "https://" + ip + ":2380",
		"listen-client-urls":          "https://" + ip + ":2379",
		"advertise-client-urls":       "https://" + ip + ":2379",
		"initial-cluster":             strings.Join(members, ","),
		"initial-cluster-state":       "new",
		"initial-cluster-token":       "plenum",
		"client-transport-security":   security,
		"peer-transport-security":     security,
		"quota-backend-bytes":         256 << 20,
		"auto-compaction-mode":        "revision",
		"auto-compaction-retention":   "1000",
		"log-level":                   "warn",
	}, "", "  ")
	if err != nil {
		return spec{}, fmt.Errorf("%s: %w", name, err)
	}
	file := c.path("config", name+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return spec{}, fmt.Errorf("%s: %w", name, err)
	}
	client, err := httpsClient(f)
	if err != nil {
		return spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return spec{
		name: name, ip: ip, path: filepath.Join(c.Bin, "server"), args: []string{"--config-file", file}, dir: c.Dir,
		// It is made to be killed. In order, it hands its leadership over, for 7 s if the others are stopping too.
		quit:  syscall.SIGKILL,
		probe: func(ctx context.Context) error { return httpOK(ctx, client, "https://"+ip+":2379/health") },
	}, nil
}

func httpsClient(f files) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // a probe leaves nothing behind
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool},
	}}, nil
}

func httpOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}
