package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that no log, error or print shows. In a file or the environment "file:PATH" stands for a file's content.
type Secret string

// Mask stands where a secret would be.
const Mask = "********"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing where nothing is set.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// Format masks the secret for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText masks the secret in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue masks the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
