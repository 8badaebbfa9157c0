package cluster

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"plenum.internal/deploy/certs"
)

// domain follows a service's name in its certificate; mesh/rpc reads it there.
const domain = ".plenum.internal"

// validity of all certificates: a development cluster lives shorter.
const validity = 90 * 24 * time.Hour

// loopback is where the connections of all processes come from: etcd compares it with the certificates of its peers.
var loopback = net.IPv4(127, 0, 0, 1)

// authority signs the certificates of one cluster. Its own key is never written: who wants another certificate makes
// another cluster.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// files are the paths of one certificate, its key and its authority, all PEM.
type files struct{ Cert, Key, CA string }

func newAuthority(dir string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	key, err := certs.NewKey()
	if err != nil {
		return nil, err //nolint:wrapcheck // says it all
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Plenum cluster"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(validity),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a := &authority{dir: dir, key: key}
	if a.cert, err = certs.Sign(template, template, &key.PublicKey, key, a.ca()); err != nil {
		return nil, err //nolint:wrapcheck // says it all
	}
	return a, nil
}

func (a *authority) ca() string { return filepath.Join(a.dir, "ca.pem") }

// issue writes <name>.pem and <name>.key into dir for a server and client that is reached at ip and, when service is set, speaks
// for that service. uid and gid own the key.
func (a *authority) issue(dir, name, service, ip string, uid, gid int) error {
	key, err := certs.NewKey()
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.ParseIP(ip), loopback},
	}
	if service != "" {
		template.DNSNames = []string{service + domain}
	}
	if _, err := certs.Sign(template, a.cert, &key.PublicKey, a.key, filepath.Join(dir, name+".pem")); err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	keyFile := filepath.Join(dir, name+".key")
	if err := certs.WriteKey(key, keyFile); err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	return chown(keyFile, uid, gid)
}

// chown does nothing for the own user; only root can do more.
func chown(path string, uid, gid int) error {
	if uid == os.Getuid() {
		return nil
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("hand over %s: %w", path, err)
	}
	return nil
}
