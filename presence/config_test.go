package presence

import (
	"strings"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		says   string // empty: nothing is wrong with it
	}{
		"defaults":                        {func(*Config) {}, ""},
		"as short as may be":              {func(c *Config) { c.Idle, c.Dormant = 2*time.Minute, 2*time.Minute+1 }, ""},
		"idle before gateways tell again": {func(c *Config) { c.Idle = 2*time.Minute - 1 }, "once a minute"},
		"dormant as idle":                 {func(c *Config) { c.Dormant = c.Idle }, "longer than idle"},
		"figures of two":                  {func(c *Config) { c.MinPeople = 2 }, "min_people"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		if err := cfg.Validate(); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
