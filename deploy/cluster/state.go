package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// state is what another process needs to end a cluster, or to talk to it.
type state struct {
	Config    Config              `json:"config"`
	Processes map[string]identity `json:"processes"`
	Order     []string            `json:"order"` // of the start
	Secrets   map[string]string   `json:"secrets"`
	Half      bool                `json:"half,omitempty"` // not made to its end
}

func statePath(dir string) string { return filepath.Join(dir, "state.json") }

// save is called with c.mu held.
func (c *Cluster) save() error {
	s := state{Config: c.cfg, Processes: map[string]identity{}, Order: c.order, Secrets: c.secrets, Half: c.half}
	for name, p := range c.processes {
		p.mu.Lock()
		s.Processes[name] = p.id
		p.mu.Unlock()
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	temporary := statePath(c.cfg.Dir) + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := os.Rename(temporary, statePath(c.cfg.Dir)); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// ErrNone means that no cluster was started in a folder.
var ErrNone = errors.New("cluster: none was started here")

// Open finds the cluster that another process started in dir; running or not, it can be driven like an own one.
func Open(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	text, err := os.ReadFile(statePath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("cluster: %s: %w", statePath(dir), err)
	}
	s.Config.Dir = dir
	c, err := New(s.Config)
	if err != nil {
		return nil, err
	}
	c.secrets, c.half = s.Secrets, s.Half
	if err := c.compose(); err != nil {
		return nil, err
	}
	for name, id := range s.Processes {
		if p := c.processes[name]; p != nil {
			p.id = id
		}
	}
	return c, nil
}

// Adopt learns of the processes that another Cluster value started in the same folder.
func (c *Cluster) Adopt() error {
	text, err := os.ReadFile(statePath(c.cfg.Dir))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("cluster: %s: %w", statePath(c.cfg.Dir), err)
	}
	for name, id := range s.Processes {
		if p := c.processes[name]; p != nil {
			p.mu.Lock()
			if p.id != id {
				p.id, p.exited = id, nil
			}
			p.mu.Unlock()
		}
	}
	return nil
}
