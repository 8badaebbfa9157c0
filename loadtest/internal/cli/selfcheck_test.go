package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/run"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// The harness is put to the test: a Plenum that keeps its promises passes, and what each client was counted to get is what the history
// says; one that drops, doubles or swaps deliveries is found out.
func TestBrokenServers(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "faults", "-o", bin+"/", "plenum.internal/deploy/cmd/plenum", "plenum.internal/client/cmd/plenumctl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for fault, found := range map[string]func(*run.Result) bool{
		"":      nil,
		"drop":  func(r *run.Result) bool { return r.Findings.Gaps > 0 && r.Findings.Lost > 0 },
		"twice": func(r *run.Result) bool { return r.Findings.Duplicates > 0 && r.Findings.Lost == 0 },
		"swap":  func(r *run.Result) bool { return r.Findings.Disorder > 0 && r.Findings.Lost == 0 },
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			server, accounts := serve(t, bin, fault)
			file := filepath.Join(t.TempDir(), "result.json")
			var out, log bytes.Buffer
			code, err := start(t.Context(), []string{
				"fanout", "--address", server, "--accounts", accounts, "-n", "20", "--rate", "40", "--warmup", "1s", "--duration", "4s", "--json", file,
			}, &out, &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			var res run.Result
			if data, err := os.ReadFile(file); err != nil || json.Unmarshal(data, &res) != nil {
				t.Fatalf("%v: %s", err, data)
			}
			if fault == "" {
				if n := messages(t, server, accounts); code != 0 || len(res.Problems) > 0 || n == 0 || res.Findings.Events != 20*n {
					t.Errorf("exit code %d, %v; %d events at 20 clients, %d messages stand:\n%s", code, res.Problems, res.Findings.Events, n, out.String())
				}
			} else if code != exitFailed || !found(&res) {
				t.Errorf("exit code %d: it was not found out: %+v", code, res.Findings)
			}
		})
	}
}

// serve runs a Plenum with a fault until the test ends, and seeds accounts.
func serve(t *testing.T, bin, fault string) (server, accounts string) {
	t.Helper()
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "plenum"), "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	c.Env = append(os.Environ(), "BROKEN_GATEWAY="+fault, "BROKEN_GATEWAY_EVERY=500")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	lines := bufio.NewScanner(stdout)
	link := ""
	for link == "" && lines.Scan() {
		link = regexp.MustCompile(`http://\S+#setup=[\w-]+`).FindString(lines.Text())
	}
	server, _, _ = strings.Cut(link, "/#")
	accounts = filepath.Join(dir, "accounts.jsonl")
	for _, command := range [][]string{
		{"setup", link, "--workspace", "test", "--handle", "owner", "--password-stdin"},
		{"admin", "seed", "--count", "20", "--out", accounts},
	} {
		ctl := exec.CommandContext(t.Context(), filepath.Join(bin, "plenumctl"), command...)
		ctl.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir)
		ctl.Stdin = strings.NewReader("a long password\n")
		if out, err := ctl.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
	return server, accounts
}

// messages counts what stands in the only channel, written by people.
func messages(t *testing.T, server, accounts string) (n uint64) {
	t.Helper()
	all, err := account.Load(accounts)
	if err != nil {
		t.Fatal(err)
	}
	api := account.NewAPI([]string{server}, nil)
	defer api.Close()
	if err := api.Renew(t.Context(), &all[0]); err != nil {
		t.Fatal(err)
	}
	call := func(method string, req, resp proto.Message) {
		if err := api.Call(t.Context(), &all[0], account.Key{}, method[1:], req, resp); err != nil {
			t.Fatal(err)
		}
	}
	var mine chatv1.ListMyChannelsResponse
	call(chatv1.ChatService_ListMyChannels_FullMethodName, &chatv1.ListMyChannelsRequest{}, &mine)
	if len(mine.GetChannels()) != 1 {
		t.Fatalf("%d channels", len(mine.GetChannels()))
	}
	for after, more := uint64(0), true; more; {
		req := &chatv1.HistoryRequest{Channel: mine.GetChannels()[0].GetChannel().GetId(), Place: &chatv1.HistoryRequest_After{After: after}, Limit: 100}
		var page chatv1.HistoryResponse
		call(chatv1.ChatService_History_FullMethodName, req, &page)
		for _, m := range page.GetMessages() {
			after = m.GetOffset()
			if m.GetSystem() == nil {
				n++
			}
		}
		more = page.GetMoreAfter()
	}
	return n
}
