package docs

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
)

// sealer makes what clients keep for the service unreadable to them: where a page ends may be at a document that the caller may not know of.
// Its key stands in SQL, so that whichever process is asked next can open it.
type sealer struct {
	mu   sync.Mutex // guards aead
	aead cipher.AEAD
}

const (
	secretPages = "pages"
	secretBytes = 32
)

// key returns the cipher, whose key is made by whoever needs it first.
func (l *sealer) key(ctx context.Context, s *Server) (cipher.AEAD, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.aead != nil {
		return l.aead, nil
	}
	var secret []byte
	read := func() error {
		err := s.db.QueryRow(ctx, `SELECT secret FROM docs_secret WHERE name = $1`, secretPages).Scan(&secret)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("docs: read a secret: %w", err)
		}
		return nil
	}
	if err := read(); err != nil {
		return nil, err
	}
	if secret == nil {
		fresh := make([]byte, secretBytes)
		_, _ = rand.Read(fresh) // never fails
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO docs_secret (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING`, secretPages, fresh)
			return err //nolint:wrapcheck // said below
		})
		if err != nil {
			return nil, fmt.Errorf("docs: write a secret: %w", err)
		}
		if err := read(); err != nil { // perhaps somebody else was faster
			return nil, err
		}
	}
	block, err := aes.NewCipher(secret)
	if err == nil {
		l.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		return nil, fmt.Errorf("docs: use a secret: %w", err)
	}
	return l.aead, nil
}

// seal makes a text of what is kept, good for the same purpose alone.
func (s *Server) seal(ctx context.Context, purpose, what []byte) (string, error) {
	aead, err := s.sealer.key(ctx, s)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(purpose)
	sealed := aead.Seal(nil, nil, what, digest[:]) //nolint:gosec // it puts a random nonce in front itself
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// errSeal: a text is none of ours, or was made for another purpose.
var errSeal = errors.New("docs: the seal is broken")

// unseal is its inverse.
func (s *Server) unseal(ctx context.Context, purpose []byte, text string) ([]byte, error) {
	aead, err := s.sealer.key(ctx, s)
	if err != nil {
		return nil, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errSeal
	}
	digest := sha256.Sum256(purpose)
	what, err := aead.Open(nil, nil, sealed, digest[:])
	if err != nil {
		return nil, errSeal
	}
	return what, nil
}
