package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTour: what README.md promises of one program, Ctrl-C and a restart included.
func TestTour(t *testing.T) {
	t.Parallel()
	s := oneBinary(t)
	s.tour(t, s.link, func() {
		begun := time.Now()
		s.halt[0].do(t)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("Ctrl-C takes %v", took)
		}
		s.halt[0].undo(t)
	})
}

// tour goes through a workspace of its own of a cluster, while something dies.
func tour(t *testing.T, s *shape) {
	secret, err := s.cluster.IssueSetup(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	s.tour(t, s.server+"/#setup="+secret, func() {
		s.kill(t, "gateway-2")
		if err := s.cluster.StartAgain(t.Context(), "gateway-2"); err != nil {
			t.Fatal(err)
		}
	})
}

// step is a command that README.md shows, and what it is said to print.
type step struct {
	command string
	prints  []string
}

// readTour finds the steps with plenumctl in README.md's tour.
func readTour(t *testing.T) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text2, _ := strings.Cut(string(text), "## A tour")
	text2, _, _ = strings.Cut(text2, "\n## ")
	inStep := false
	for line := range strings.Lines(text2) {
		line, isCode := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case isCode && isCommand:
			inStep = strings.HasPrefix(command, "plenumctl ")
			if inStep {
				steps = append(steps, step{command: command})
			}
		case isCode && line != "" && inStep:
			steps[len(steps)-1].prints = append(steps[len(steps)-1].prints, line)
		default:
			inStep = false
		}
	}
	if len(steps) < 12 {
		t.Fatalf("README.md's tour has %d commands", len(steps))
	}
	return steps
}

// tour does what README.md says, word for word, and then what else a person or a script does with plenumctl.
func (s *shape) tour(t *testing.T, link string, interrupt func()) {
	d := newDesk(t)
	workspace := unique("w")
	const example = "http://127.0.0.1:8080"
	links := map[string]string{example + "/#setup=…": link}
	var tail, watch *ongoing
	for _, step := range readTour(t) {
		command := strings.ReplaceAll(step.command, "acme", workspace)
		for shown, real := range links {
			command = strings.ReplaceAll(command, shown, real)
		}
		stdin := ""
		if strings.Contains(command, "#setup=") || strings.Contains(command, "#join=") {
			command, stdin = command+" --password-stdin", password+"\n"
		}
		shell := d.command(stdin, "sh", "-c", "exec "+command)
		switch {
		case strings.Contains(command, "tail -f"):
			tail = begin(t, shell)
			tail.shows(t, "Hello, *world*")
			continue
		case strings.Contains(command, "plenumctl watch"):
			watch = begin(t, shell)
			watch.shows(t, "welcome")
			continue
		}
		a := finish(t, shell)
		if a.code != 0 || a.problems != "" {
			t.Fatalf("%s: exit code %d: %s", command, a.code, a.problems)
		}
		if strings.Contains(command, "admin invite") {
			links[example+"/#join=…"] = strings.TrimSpace(a.out)
		}
		for _, line := range step.prints {
			line, _, _ = strings.Cut(strings.ReplaceAll(strings.ReplaceAll(line, "acme", workspace), example, s.server), "…")
			if !strings.Contains(a.out, line) {
				t.Errorf("%s printed %q, not %q", command, a.out, line)
			}
		}
	}
	tail.shows(t, "Are you there, @bob?")
	if list := d.ok(t, "", "--profile", "bob", "channel", "list"); !strings.Contains(list, "unread") {
		t.Errorf("what Ada wrote does not count as unread for Bob: %q", list)
	}

	interrupt()
	d.ok(t, "", "send", "general", "We are back")
	tail.shows(t, "We are back")
	for _, o := range []*ongoing{tail, watch} { // Ctrl-C is no failure
		o.signal(t, syscall.SIGINT)
		if code := o.code(t); code != 0 {
			t.Errorf("%v ends with exit code %d", o.cmd.Args, code)
		}
	}
	d.scripts(t, s.server, workspace)
}

// scripts use --json and exit codes.
func (d *desk) scripts(t *testing.T, server, workspace string) {
	var texts []string
	for line := range strings.Lines(d.ok(t, "", "--json", "history", "general")) {
		var m struct{ Text string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("history prints %q: %v", line, err)
		}
		if m.Text != "" {
			texts = append(texts, m.Text)
		}
	}
	if got := strings.Join(texts, "|"); got != "Hello, *world*|Are you there, @bob?|We are back" {
		t.Errorf("the history is %q", got)
	}
	if since := d.ok(t, "", "tail", "general", "--since", "1h"); strings.Count(since, "Hello, *world*") != 1 || !strings.Contains(since, "We are back") {
		t.Errorf("tail --since prints %q", since)
	}
	// A second device, which is signed out with the first one.
	d.ok(t, password+"\n", "--server", server, "--profile", "phone", "login", "--workspace", workspace, "--handle", "bob", "--password-stdin")
	tail := d.start(t, "--profile", "phone", "tail", "-f", "general")
	tail.shows(t, "We are back")
	time.Sleep(time.Second) // it follows
	d.ok(t, "", "admin", "revoke", "bob")
	if code := tail.code(t); code != 1 {
		t.Errorf("the tail of a revoked device ends with exit code %d", code)
	}
	for _, profile := range []string{"bob", "phone"} {
		if a := d.run(t, "", "--profile", profile, "whoami"); a.code != 1 || a.out != "" || strings.Count(a.problems, "\n") != 1 {
			t.Errorf("a revoked device: %+v", a)
		}
	}
	if got := d.ok(t, "", "admin", "audit", "verify"); !strings.Contains(got, "intact") {
		t.Errorf("audit verify prints %q", got)
	}
	for want, args := range map[string][]string{
		"no such channel": {"send", "nosuch", "hello"}, "unexpected argument": {"nonsense"}, "can't be reached": {"--server", "http://127.0.0.1:1", "--profile", "new", "login", "--workspace", "x", "--handle", "x", "--password-stdin"},
	} {
		code := 1
		if args[0] == "nonsense" {
			code = 2
		}
		if a := d.run(t, password+"\n", args...); a.code != code || !strings.Contains(a.problems, want) || a.out != "" {
			t.Errorf("plenumctl %v: %+v, want %q and exit code %d", args, a, want, code)
		}
	}
}
