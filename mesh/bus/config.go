package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

// MaxPayload is the largest message in bytes; NATS refuses more. Publishers of the log stay far below (64 KiB).
const MaxPayload = 1 << 20

// Config says where NATS is and what may be queued.
type Config struct {
	URLs     []string      `koanf:"urls" doc:"NATS servers, nats://host:port or tls://host:port; any that answers is used"`
	NKeyFile string        `koanf:"nkey_file" doc:"file with the NKey seed that signs this service in; empty: none"`
	CAFile   string        `koanf:"ca_file" doc:"PEM file with the authority that signed the servers' certificates; empty: the system's"`
	CertFile string        `koanf:"cert_file" doc:"PEM file with this service's certificate, if the servers ask for one"`
	KeyFile  string        `koanf:"key_file" doc:"PEM file with the private key of cert_file"`
	Timeout  time.Duration `koanf:"timeout" doc:"limit of one connection attempt, and of one write before the connection counts as broken"`
	Retry    time.Duration `koanf:"retry" doc:"longest pause between two rounds of connection attempts; they go on for ever"`
	Ping     time.Duration `koanf:"ping" doc:"interval of pings; three unanswered ones mean that the connection is dead"`
	// QueueBytes counts payloads and subjects.
	QueueBytes int `koanf:"queue_bytes" doc:"bytes that may wait to be written; what is published beyond is dropped and counted"`
	Receive    int `koanf:"receive" doc:"messages that may wait between the connection and the subscribers' channels"`
}

// DefaultConfig is what a laptop and a cluster both start from.
func DefaultConfig() Config {
	return Config{
		URLs:       []string{nats.DefaultURL},
		Timeout:    2 * time.Second,
		Retry:      time.Second,
		Ping:       2 * time.Second,
		QueueBytes: 8 << 20,
		Receive:    8192,
	}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case len(c.URLs) == 0:
		return errors.New("bus.urls: name at least one NATS server")
	case c.Timeout <= 0, c.Retry <= 0, c.Ping <= 0:
		return errors.New("bus: timeout, retry and ping must be positive durations")
	case c.QueueBytes < MaxPayload:
		return fmt.Errorf("bus.queue_bytes: %d cannot hold one message of %d bytes", c.QueueBytes, MaxPayload)
	case c.Receive <= 0:
		return errors.New("bus.receive: must be positive")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("bus: cert_file and key_file go together")
	}
	return nil
}

// options reads the files that the configuration names.
func (c Config) options() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Timeout(c.Timeout),
		nats.FlusherTimeout(c.Timeout),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a server with older keys, in the middle of a roll-out, must not end us
		nats.CustomReconnectDelay(backoff(c.Retry)),
		nats.ReconnectBufSize(-1), // while away nothing is kept: the log repairs
		nats.PingInterval(c.Ping),
		nats.MaxPingsOutstanding(3),
	}
	if c.NKeyFile != "" {
		opt, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("bus.nkey_file %s: %w", c.NKeyFile, err)
		}
		opts = append(opts, opt)
	}
	if c.CAFile == "" && c.CertFile == "" {
		return opts, nil
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("bus.ca_file: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("bus.ca_file %s: holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("bus.cert_file: %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{cert}
	}
	return append(opts, nats.Secure(tlsConfig)), nil
}
