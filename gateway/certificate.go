package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TLS names the PEM files of the certificate that clients see. Without them the gateway speaks plain HTTP, for a proxy that has one.
type TLS struct {
	Cert string `koanf:"cert" doc:"file with the certificate that clients see, and those between it and its root; replaced files are read again within a minute"`
	Key  string `koanf:"key" doc:"file with the certificate's private key"`
}

// Enabled reports whether the files are named.
func (t TLS) Enabled() bool { return t != TLS{} }

func (t TLS) validate() error {
	if t.Enabled() && (t.Cert == "" || t.Key == "") {
		return errors.New("gateway.tls: cert and key belong together: set both or none")
	}
	return nil
}

// rereadEvery is how often the files are looked at: short to who rotates a certificate a day before it ends, or an hour.
const rereadEvery = 30 * time.Second

// certificate is a pair of files that may be replaced while it serves. Who replaces them writes one after the other, so that for a moment
// they don't fit: what fitted last goes on serving.
type certificate struct {
	files   TLS
	log     *slog.Logger
	ends    prometheus.Gauge
	current atomic.Pointer[tls.Certificate]

	pem [2][]byte // what the files held when they were read last; the reader's
}

// openCertificate fails where the files don't fit each other: a gateway that starts has nothing else to serve.
func openCertificate(files TLS, log *slog.Logger, ends prometheus.Gauge) (*certificate, error) {
	c := &certificate{files: files, log: log, ends: ends}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("gateway.tls: %w", err)
	}
	return c, nil
}

// read takes the files up if they have changed.
func (c *certificate) read() error {
	cert, err := os.ReadFile(c.files.Cert)
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	key, err := os.ReadFile(c.files.Key)
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	if bytes.Equal(cert, c.pem[0]) && bytes.Equal(key, c.pem[1]) {
		return nil
	}
	c.pem = [2][]byte{cert, key}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s with %s: %w", c.files.Cert, c.files.Key, err)
	}
	c.current.Store(&pair)
	c.ends.Set(float64(pair.Leaf.NotAfter.Unix()))
	return nil
}

// run reads the files again until ctx ends.
func (c *certificate) run(ctx context.Context) {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		before := c.current.Load()
		if err := c.read(); err != nil {
			c.log.WarnContext(ctx, "the certificate's files can't be used; the one before goes on serving", "until", before.Leaf.NotAfter, "error", err)
		} else if now := c.current.Load(); now != before {
			c.log.InfoContext(ctx, "serves a new certificate", "until", now.Leaf.NotAfter)
		}
	}
}

// config is what is spoken: TLS 1.3, and of 1.2 what has forward secrecy and authenticated encryption. Sessions speak WebSocket, which needs
// HTTP/1.1; a browser asks for it on a connection of its own.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of 1.2
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
