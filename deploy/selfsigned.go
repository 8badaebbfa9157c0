package deploy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, fmt.Errorf("make a certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return files, fmt.Errorf("make a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Plenum on " + names[0]},
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
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return files, fmt.Errorf("make a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, fmt.Errorf("make a certificate: %w", err)
	}
	if err := writePEM(files.Key, "PRIVATE KEY", secret, 0o600); err != nil {
		return files, err
	}
	return files, writePEM(files.Cert, "CERTIFICATE", cert, 0o644)
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

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	return nil
}
