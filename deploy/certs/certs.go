// Package certs makes X.509 certificates for clusters and servers that somebody tries on their own machine.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
)

// NewKey returns a key for a certificate.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// Sign gives the template a serial number, signs it for the holder of a key as the parent, whose key by is, and writes the certificate to
// path as PEM. A template that is its own parent is self-signed.
func Sign(template, parent *x509.Certificate, holder *ecdsa.PublicKey, by *ecdsa.PrivateKey, path string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, holder, by)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return cert, write(path, "CERTIFICATE", der, 0o644)
}

// WriteKey writes a key to path as PEM, for its owner alone.
func WriteKey(key *ecdsa.PrivateKey, path string) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	return write(path, "PRIVATE KEY", der, 0o600)
}

func write(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write a certificate's file: %w", err)
	}
	return nil
}
