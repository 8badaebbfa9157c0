// Package keyring holds the installation's own keys: what seals secrets at rest and derives those that are told once.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// MaxKeys bounds a ring: one in use and those that retire.
const MaxKeys = 4

// Ring is 1 to MaxKeys keys. The first seals and derives; all open, so that keys can be changed: put a new one in front, drop
// the old one when what it sealed has been rotated (two rotations of the signing keys) and the refresh tokens of its time ended.
type Ring struct{ keys [][]byte }

// New returns a ring of keys in base64 (any alphabet, padded or not), 32 bytes each.
func New(encoded ...string) (*Ring, error) {
	if len(encoded) == 0 || len(encoded) > MaxKeys {
		return nil, fmt.Errorf("keyring: %d keys: give 1 to %d", len(encoded), MaxKeys)
	}
	r := &Ring{}
	for i, s := range encoded {
		s = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(strings.TrimSpace(s))
		key, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(key) != KeyBytes {
			return nil, fmt.Errorf("keyring: key %d is not %d bytes in base64: make one with `openssl rand -base64 32`", i+1, KeyBytes)
		}
		r.keys = append(r.keys, key)
	}
	return r, nil
}

// Load reads a ring from a file, one key a line; an absent file is made with one new key. Nobody but its owner may read it.
func Load(path string) (*Ring, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator's configuration names it
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring: others may read %s (mode %04o): run `chmod 600 %s`", path, info.Mode().Perm(), path)
	}
	r, err := New(strings.Fields(string(data))...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// create makes the file whole or not at all, and keeps one that somebody else made meanwhile.
func create(path string) error {
	var key [KeyBytes]byte
	_, _ = rand.Read(key[:]) // never fails since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(key[:]))
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// Seal encrypts and authenticates plain for a purpose, which Open must name too.
func (r *Ring) Seal(purpose string, plain []byte) ([]byte, error) {
	aead, err := newAEAD(r.keys[0])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, []byte(purpose)), nil //nolint:gosec // it puts a random nonce in front itself
}

// ErrSealed says that none of the ring's keys opens it.
var ErrSealed = errors.New("keyring: sealed with a key that is not in the ring")

// Open reverses Seal with whichever key fits.
func (r *Ring) Open(purpose string, sealed []byte) ([]byte, error) {
	for _, key := range r.keys {
		aead, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		if plain, err := aead.Open(nil, nil, sealed, []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, key, nil, "plenum.identity seal", KeyBytes)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return aead, nil
}

// Derive returns 32 bytes that nobody without the ring can tell from random ones, always the same for the same parts.
func (r *Ring) Derive(purpose string, parts ...string) []byte {
	return derive(r.keys[0], purpose, parts)
}

// Matches reports whether one of the ring's keys derives a value that accept accepts, and returns that value.
func (r *Ring) Matches(accept func([]byte) bool, purpose string, parts ...string) ([]byte, bool) {
	for _, key := range r.keys {
		if v := derive(key, purpose, parts); accept(v) {
			return v, true
		}
	}
	return nil, false
}

func derive(key []byte, purpose string, parts []string) []byte {
	m := hmac.New(sha256.New, key)
	for _, part := range append([]string{"plenum.identity derive", purpose}, parts...) {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		m.Write([]byte(part))
	}
	return m.Sum(nil)
}
