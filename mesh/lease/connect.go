package lease

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Config says where etcd is.
type Config struct {
	Endpoints []string `koanf:"endpoints" doc:"etcd servers, http://host:port, https://host:port or unix:path; any that answers is used"`
	CAFile    string   `koanf:"ca_file" doc:"PEM file with the authority that signed the servers' certificates; empty: the system's"`
	CertFile  string   `koanf:"cert_file" doc:"PEM file with this service's certificate, if the servers ask for one"`
	KeyFile   string   `koanf:"key_file" doc:"PEM file with the private key of cert_file"`
}

// DefaultConfig is a server on this machine.
func DefaultConfig() Config { return Config{Endpoints: []string{"http://127.0.0.1:2379"}} }

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case len(c.Endpoints) == 0:
		return errors.New("etcd.endpoints: name at least one etcd server")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("etcd: cert_file and key_file go together")
	}
	return nil
}

// Connect makes a client that finds its way back within a second after any absence of the servers. It dials in the
// background: an error means a wrong configuration.
func Connect(cfg Config) (*clientv3.Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            cfg.Endpoints,
		TLS:                  tlsConfig,
		DialKeepAliveTime:    10 * time.Second, // gRPC allows no less
		DialKeepAliveTimeout: 3 * time.Second,
		Logger:               zap.NewNop(), // what fails is returned to us, and logged once
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.5, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return client, nil
}

func (c Config) tls() (*tls.Config, error) {
	if c.CAFile == "" && c.CertFile == "" {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("etcd.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd.ca_file %s: holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("etcd.cert_file: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
