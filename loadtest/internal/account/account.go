// Package account holds the accounts that a load test signs in with, as `plenumctl admin seed` writes them, and their tokens.
package account

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Account is one line of an accounts file.
type Account struct {
	Workspace string `json:"workspace"` // its slug
	Handle    string `json:"handle"`
	User      string `json:"user"` // id
	ClientID  string `json:"client_id"`
	// Refresh is spent by each use; the file has the newest.
	Refresh string `json:"refresh_token"`
	// Password is there where the accounts were made with one.
	Password string `json:"password,omitempty"`

	Access  string    `json:"access_token,omitzero"`
	Expires time.Time `json:"access_expires,omitzero"` // of Access
}

// NewID makes 128 random bits as the protocol writes them: the client_id of one run's mutations, so that their numbers start at 1.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

const (
	maxAccounts  = 1_000_000
	maxLineBytes = 64 << 10
)

// Load reads an accounts file.
func Load(path string) ([]Account, error) {
	f, err := os.Open(path) //nolint:gosec // the file that the user names
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no accounts file %s: make one with `plenumctl admin seed --count N --out %s`", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	defer f.Close()
	var all []Account
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 4<<10), maxLineBytes)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var a Account
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if a.User == "" || a.Refresh == "" || a.ClientID == "" {
			return nil, fmt.Errorf("%s: line %d lacks user, client_id or refresh_token", path, n)
		}
		if len(all) == maxAccounts {
			return nil, fmt.Errorf("%s has more than %d accounts", path, maxAccounts)
		}
		all = append(all, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no account", path)
	}
	return all, nil
}

// Save replaces an accounts file; a crash leaves the old or the new one.
func Save(path string, all []Account) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save the accounts: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save the accounts: %w", err), os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for i := range all {
		if err := enc.Encode(&all[i]); err != nil { //nolint:gosec // the file is there to keep the tokens; it is its owner's alone
			return errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
