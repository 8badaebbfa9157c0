package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenum.internal/loadtest/internal/run"
)

type Chat struct{}

func TestName(t *testing.T) {
	if n := Name(&Chat{}); n != "chat" {
		t.Fatal(n)
	}
}

func TestText(t *testing.T) {
	res := result()
	res.Problems = []string{"3 of 5 connections were refused"}
	res.Refusals = map[string]int{"timeout": 3}
	var out bytes.Buffer
	if err := Text(res, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"chat, 30.0 s measured", "     ack  1234567  900µs  2ms  15ms  400ms  2.5s", "mutations offered  200 /s", "timeout 3",
		"FAILED: 3 of 5 connections were refused", "events  lost  twice  out of order  gaps  before their cause  stored twice  other content  resets",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "resume") {
		t.Errorf("there was no resume:\n%s", out.String())
	}
	if err := Text(&run.Result{}, &out); err != nil {
		t.Error(err)
	}
}

// Each file that is named is written; with - only JSON goes to standard output.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	js, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	var out bytes.Buffer
	if err := Write(result(), &out, js, page); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(js)
	var got struct {
		Scenario  string
		Intervals []struct {
			At      float64                       `json:"at_s"`
			Latency map[string]map[string]float64 `json:"latency"`
		}
	}
	if err != nil || json.Unmarshal(data, &got) != nil || got.Scenario != "chat" || len(got.Intervals) != 4 || got.Intervals[2].Latency["ack"]["p99_us"] != 15_000 {
		t.Errorf("%s: %v", data, err)
	}
	if data, err := os.ReadFile(page); err != nil || !bytes.HasPrefix(data, []byte("<!doctype html>")) {
		t.Errorf("%.40q: %v", data, err)
	}
	if !strings.Contains(out.String(), "written to "+js) || !strings.Contains(out.String(), "written to "+page) {
		t.Error(out.String())
	}
	out.Reset()
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	if err := Write(result(), &out, "-", page); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v: %s", err, out.String())
	}
	if err := Write(result(), &out, "", filepath.Join(dir, "none", "r.html")); err == nil {
		t.Error("written to a folder that is not there")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%v: %v", files, err)
	}
}
