package run

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func valid() Options {
	return Options{
		Address: []string{"http://127.0.0.1:8080"}, Connections: 10, Duration: time.Second, Processes: 1, Listen: "127.0.0.1:0",
	}
}

// Each option that can't be is named; nothing goes to another machine unasked.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		want string // in the error; empty: none
		set  func(*Options)
	}{
		{"", func(*Options) {}},
		{"--connections", func(o *Options) { o.Connections = 0 }},
		{"--connections", func(o *Options) { o.Connections = maxConnections + 1 }},
		{"--processes 2", func(o *Options) { o.Connections = perProcess + 1 }},
		{"", func(o *Options) { o.Connections, o.Processes = perProcess+1, 2 }},
		{"--processes", func(o *Options) { o.Processes = maxProcesses + 1 }},
		{"--duration", func(o *Options) { o.Duration = 0 }},
		{"--duration", func(o *Options) { o.Duration = 25 * time.Hour }},
		{"--warmup", func(o *Options) { o.Warmup = -1 }},
		{"--ramp", func(o *Options) { o.Ramp = -1 }},
		{"--address", func(o *Options) { o.Address = nil }},
		{"--address", func(o *Options) { o.Address = []string{"ftp://127.0.0.1"} }},
		{"--address", func(o *Options) { o.Address = []string{"http://127.0.0.1/path"} }},
		{"", func(o *Options) {
			o.Address = []string{"http://localhost:1", "http://[::1]:1", "127.5.5.5:1", "https://127.0.0.1/"}
		}},
		{"--allow-remote", func(o *Options) { o.Address = append(o.Address, "http://192.168.0.1:8080") }},
		{"--allow-remote", func(o *Options) { o.Address = []string{"http://localhost.example.org"} }},
		{"--allow-remote", func(o *Options) { o.Address = []string{"http://127.0.0.1@example.org"} }},
		{"", func(o *Options) { o.Address, o.AllowRemote = []string{"https://example.org"}, true }},
		{"--listen", func(o *Options) { o.Listen = "0.0.0.0:7000" }},
		{"--listen", func(o *Options) { o.Listen = ":7000" }},
		{"--listen", func(o *Options) { o.Listen = "127.0.0.1" }},
		{"", func(o *Options) { o.Listen, o.AllowRemote = "0.0.0.0:7000", true }},
	} {
		o := valid()
		c.set(&o)
		err := o.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", o, err, c.want)
		}
	}
}

// Addresses get one form, and on loopback there are several sources; both once, however often it is called.
func TestDefaults(t *testing.T) {
	o := valid()
	o.Address = []string{"127.0.0.1:1", "http://127.0.0.2:2/"}
	for range 2 {
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(o.Address, []string{"http://127.0.0.1:1", "http://127.0.0.2:2"}) || len(o.Local) != 8 {
			t.Fatalf("%v from %v", o.Address, o.Local)
		}
	}
	o = valid()
	o.Address = []string{"http://127.0.0.1:1", "http://[::1]:1"}
	if err := o.Validate(); err != nil || len(o.Local) != 0 {
		t.Fatalf("%v: %v", o.Local, err)
	}
}
