package check

import (
	"strings"
	"testing"
	"time"
)

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"secret":   func(c *Config) { c.Secret = "" },
		"devices":  func(c *Config) { c.Devices = 51 },
		"messages": func(c *Config) { c.Rate = 11 },
		"hour":     func(c *Config) { c.For = 2 * time.Hour },
		"fewer":    func(c *Config) { c.Devices, c.Rate, c.For = 50, 10, time.Hour },
		"patience": func(c *Config) { c.Patience = 0 },
	} {
		cfg := DefaultConfig()
		cfg.Secret, cfg.Gateways = "x", []string{"http://127.0.0.1:1"}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
