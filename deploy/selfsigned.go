package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"plenum.internal/deploy/certs"
	"plenum.internal/gateway"
)

const (
	certificateLife  = 397 * 24 * time.Hour // browsers refuse longer ones
	certificateRenew = 30 * 24 * time.Hour  // before its end, at a start
)

// selfSigned returns a certificate for an address, made in a folder unless there is one that is good for it yet. Nobody but who made it
// has a reason to trust it: it is for trying, and for programs that are told the file.
func selfSigned(folder, addr string, now time.Time) (gateway.TLS, error) {
	files := gateway.TLS{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	names := namesOf(addr)
	if fits(files, names, now) {
		return files, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return files, fmt.Errorf("make a certificate: %w", err)
	}
	key, err := certs.NewKey()
	if err != nil {
		return files, err //nolint:wrapcheck // says it all
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Plenum on " + names[0]},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if err := certs.WriteKey(key, files.Key); err != nil {
		return files, err //nolint:wrapcheck // says it all
	}
	_, err = certs.Sign(template, template, &key.PublicKey, key, files.Cert)
	return files, err //nolint:wrapcheck // says it all
}

// namesOf are what clients may call a server that listens at addr.
func namesOf(addr string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() && !ip.IsLoopback() {
			names = append([]string{host}, names...)
		}
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		names = append(names, host)
	}
	return names
}

// fits tells whether the files hold a certificate that is good for all names, and for a while.
func fits(files gateway.TLS, names []string, now time.Time) bool {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil || pair.Leaf.NotAfter.Before(now.Add(certificateRenew)) {
		return false
	}
	for _, name := range names {
		if pair.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}
