package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// TLSConfig names PEM files. All three or none: with them both sides prove who they are, without them nobody does, and
// internal methods are refused over the network.
type TLSConfig struct {
	Cert string `koanf:"cert" doc:"file with this process's certificate; its DNS name is <service>.plenum.internal"`
	Key  string `koanf:"key" doc:"file with the certificate's private key"`
	CA   string `koanf:"ca" doc:"file with the authority that signs the certificates of all processes"`
}

// Enabled reports whether the files are named.
func (c TLSConfig) Enabled() bool { return c != TLSConfig{} }

// Validate checks that the configuration is whole.
func (c TLSConfig) Validate() error {
	if c.Enabled() && (c.Cert == "" || c.Key == "" || c.CA == "") {
		return errors.New("tls: cert, key and ca belong together: set all three or none")
	}
	return nil
}

// load reads the files. A certificate that is replaced on disk needs a restart of the process.
func (c TLSConfig) load() (tls.Certificate, *x509.CertPool, error) {
	if err := c.Validate(); err != nil {
		return tls.Certificate{}, nil, err
	}
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return cert, nil, fmt.Errorf("tls: %w", err)
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return cert, nil, fmt.Errorf("tls: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return cert, nil, fmt.Errorf("tls: %s holds no PEM certificate", c.CA)
	}
	return cert, pool, nil
}

func (c TLSConfig) server() (credentials.TransportCredentials, error) {
	if !c.Enabled() {
		return insecure.NewCredentials(), nil
	}
	cert, pool, err := c.load()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}), nil
}

// client trusts only the named service at the other end, whatever address it stands at.
func (c TLSConfig) client(service string) (credentials.TransportCredentials, error) {
	if !c.Enabled() {
		return insecure.NewCredentials(), nil
	}
	if service == "" {
		return nil, errors.New("tls: the service to dial has no name to check its certificate by")
	}
	cert, pool, err := c.load()
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: service + Domain,
	}), nil
}
