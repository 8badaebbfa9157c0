package e2e

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemo: the demonstration's workspace is made once, by the operator or by a link, and whoever signs in there finds something to do.
func TestDemo(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s, d := oneBinaryAt(t, data), newDesk(t)
	printed := d.ok(t, "", "--server", s.server, "demo", "--data", data)
	found := regexp.MustCompile(`password of everybody (\S+)`).FindStringSubmatch(printed)
	if found == nil || !strings.Contains(printed, "operator --data "+data+" setup") {
		t.Fatalf("no password, or no other link, in %q", printed)
	}
	d.ok(t, found[1]+"\n", "--server", s.server, "login", "--workspace", "demo", "--handle", "ada", "--password-stdin")
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // what belongs to people is derived a moment later
		var channels, unread, mentions uint64
		for line := range strings.Lines(d.ok(t, "", "--json", "channel", "list")) {
			var c struct {
				Mine struct {
					Unread   uint64 `json:"unread,string"`
					Mentions uint64 `json:"mentions,string"`
				}
			}
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			channels, unread, mentions = channels+1, unread+c.Mine.Unread, mentions+c.Mine.Mentions
		}
		if channels == 7 && unread > 10 && mentions > 1 && strings.Contains(d.ok(t, "", "thread", "list", "--unread"), "5 replies") {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("%d channels, %d unread, %d mentions", channels, unread, mentions)
		}
	}
	if history := d.ok(t, "", "history", "kitchen"); !strings.Contains(history, "🐈 7") || !strings.Contains(history, "cardamom") {
		t.Errorf("the kitchen's history is %q", history)
	}
	d.ok(t, "", "channel", "create", "open-night")
	if found := d.ok(t, "", "channel", "browse", "#night"); !strings.Contains(found, "#open-night") || strings.Contains(found, "#kitchen") {
		t.Errorf("by a word of a name is found %q", found)
	}

	if a := d.run(t, "", "--server", s.server, "demo", "--data", data); a.code != 1 || !strings.Contains(a.problems, "already") {
		t.Errorf("once more: %+v", a)
	}
	link := strings.TrimSpace(d.ok(t, "", "--server", s.server, "operator", "--data", data, "setup"))
	if printed := d.ok(t, "", "demo", link, "--workspace", "demo-2", "--password", password, "--json"); !strings.Contains(printed, `"workspace":"demo-2"`) {
		t.Errorf("by a link it prints %q", printed)
	}
	if a := d.run(t, "", "demo", link, "--workspace", "demo-3"); a.code != 1 || a.out != "" {
		t.Errorf("by a link that was used: %+v", a)
	}
}
