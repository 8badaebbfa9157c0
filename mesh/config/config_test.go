package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type tlsSettings struct {
	Cert string `koanf:"cert" doc:"certificate file"`
	Key  string `koanf:"key" doc:"key file"`
}

func (t tlsSettings) Validate() error {
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("cert and key belong together")
	}
	return nil
}

type rpcSettings struct {
	Listen     string        `koanf:"listen" doc:"address, host:port"`
	MaxStreams uint32        `koanf:"max_streams" doc:"calls at the same time"`
	Grace      time.Duration `koanf:"grace" doc:"time to stop"`
	TLS        tlsSettings   `koanf:"tls"`
}

type common struct {
	Data string `koanf:"data" doc:"data folder"`
}

type settings struct {
	Common   common            `koanf:",squash"`
	RPC      rpcSettings       `koanf:"rpc"`
	Peers    []string          `koanf:"peers" doc:"addresses | more"`
	Password Secret            `koanf:"password" doc:"of the database"`
	Database string            `koanf:"database" doc:"URL"`
	Debug    bool              `koanf:"debug" doc:"say more"`
	Ratio    float64           `koanf:"ratio" doc:"between 0 and 1"`
	Routes   map[string]string `koanf:"routes" doc:"service to address"`
	Clock    func() time.Time  `koanf:"-"`
}

func (s *settings) Validate() error {
	if s.Ratio > 1 {
		return fmt.Errorf("ratio is %v: set it between 0 and 1", s.Ratio)
	}
	return nil
}

func defaults() *settings {
	return &settings{
		Common:   common{"./data"},
		RPC:      rpcSettings{Listen: "127.0.0.1:1", MaxStreams: 10, Grace: 5 * time.Second},
		Peers:    []string{"a", "b", "c"},
		Database: "postgres://plenum:hunter2@db/plenum",
		Routes:   map[string]string{"chat": "here"},
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plenum.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesWin(t *testing.T) {
	file := write(t, "data: /file\nrpc:\n  listen: file:1\n  max_streams: 20\n  grace: 7s\npeers: [x]\nroutes: {sfu: there}\npassword: from file\nratio: 0.5\n")
	for name, x := range map[string]struct {
		args, environ []string
		change        func(*settings)
	}{
		"defaults": {nil, nil, func(*settings) {}},
		"file": {[]string{"--config", file}, nil, func(s *settings) {
			s.Common.Data, s.RPC.Listen, s.RPC.MaxStreams, s.RPC.Grace, s.Password, s.Ratio = "/file", "file:1", 20, 7*time.Second, "from file", .5
			s.Peers, s.Routes = []string{"x"}, map[string]string{"sfu": "there"}
		}},
		"file by variable, then environment, then flag": {
			[]string{"--rpc.listen=flag:1", "--debug"},
			[]string{"PLENUM_CONFIG=" + file, "PLENUM_RPC_LISTEN=env:1", "PLENUM_RPC_MAX_STREAMS=30", "PLENUM_PEERS=p, q", "HOME=/", "PLENUM_PASSWORD=env"},
			func(s *settings) {
				s.Common.Data, s.RPC.Listen, s.RPC.MaxStreams, s.RPC.Grace, s.Password, s.Ratio = "/file", "flag:1", 30, 7*time.Second, "env", .5
				s.Peers, s.Routes, s.Debug = []string{"p", "q"}, map[string]string{"sfu": "there"}, true
			},
		},
		"empty list":      {[]string{"--peers="}, nil, func(s *settings) { s.Peers = []string{} }},
		"switch off":      {[]string{"--debug=false"}, []string{"PLENUM_DEBUG=true"}, func(*settings) {}},
		"secret in file":  {nil, []string{"PLENUM_PASSWORD=file:" + write(t, "s3cret\n")}, func(s *settings) { s.Password = "s3cret" }},
		"empty section":   {[]string{"--config", write(t, "rpc:\n")}, nil, func(*settings) {}},
		"Kubernetes' own": {nil, []string{"PLENUM_SERVICE_HOST=10.0.0.1", "PLENUM_SERVICE_PORT_HTTP=1", "PLENUM_PORT_80_TCP_ADDR=x", "PLENUM_GATEWAY_PORT=tcp://x", "PLENUM_PORT=y"}, func(*settings) {}},
	} {
		got, want := defaults(), defaults()
		x.change(want)
		if err := Load(got, x.args, x.environ, "plenum"); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %#v\nwant %#v", name, got, want)
		}
	}
}

func TestFaultsAreOneLineThatSaysWhere(t *testing.T) {
	secret := write(t, "password: [hunter2]\n")
	for _, x := range []struct {
		file, says    string
		args, environ []string
	}{
		{says: `unknown setting rpc.lsten; did you mean rpc.listen?`, file: "rpc:\n  lsten: x\n"},
		{says: `unknown setting zzzzzzzzzz`, file: "zzzzzzzzzz: 1\n"},
		{says: `unknown key "rpc.listen": write each part on its own level`, file: "rpc.listen: x\n"},
		{says: `rpc holds settings, not a value`, file: "rpc: 5\n"},
		{says: `rpc.max_streams: "many" is not a number`, file: "rpc:\n  max_streams: many\n"},
		{says: `rpc.max_streams: "-1" is not a number`, file: "rpc:\n  max_streams: -1\n"},
		{says: `rpc.max_streams: "5e+09" is not a number`, file: "rpc:\n  max_streams: 5e+9\n"},
		{says: `rpc.max_streams: "1.5" is not a number`, file: "rpc:\n  max_streams: 1.5\n"},
		{says: `--rpc.max_streams: "4294967296" is not a number`, args: []string{"--rpc.max_streams=4294967296"}},
		{says: `rpc.grace: "5" is not a duration: `, file: "rpc:\n  grace: 5\n"},
		{says: `write it with a unit`, file: "rpc:\n  grace: 5\n"},
		{says: `rpc.listen: "map[a:1]" is not a text`, file: "rpc:\n  listen: {a: 1}\n"},
		{says: `configuration file`, file: "a: [\n"},
		{says: `no such file`, args: []string{"--config=/none.yaml"}},
		{says: `environment: unknown setting PLENUM_DEBGU; did you mean PLENUM_DEBUG?`, environ: []string{"PLENUM_DEBGU=1"}},
		{says: `PLENUM_DEBUG: "perhaps" is not a switch`, environ: []string{"PLENUM_DEBUG=perhaps"}},
		{says: `PLENUM_ROUTES can only be set in a file`, environ: []string{"PLENUM_ROUTES=a"}},
		{says: `PLENUM_PASSWORD: can't read the secret: open /none`, environ: []string{"PLENUM_PASSWORD=file:/none"}},
		{says: `password: a secret is a text`, args: []string{"--config", secret}},
		{says: `--rpc.grace: "soon" is not a duration`, args: []string{"--rpc.grace=soon"}},
		{says: `unknown flag: --rpc.nothing (see plenum --help)`, args: []string{"--rpc.nothing=1"}},
		{says: `unknown flag: --password`, args: []string{"--password=1"}},
		{says: `unexpected argument "serve"`, args: []string{"serve"}},
		{says: `rpc.tls: cert and key belong together`, args: []string{"--rpc.tls.cert=x"}},
		{says: `ratio is 2: set it between 0 and 1`, args: []string{"--ratio=2"}},
	} {
		if x.file != "" {
			x.args = []string{"--config", write(t, x.file)}
		}
		err := Load(defaults(), x.args, x.environ, "plenum")
		if err == nil || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q %v: got %v\nwant %s", x.file, x.args, err, x.says)
		} else if strings.Contains(err.Error(), "\n") && !strings.Contains(x.says, "configuration file") {
			t.Errorf("more than one line: %v", err)
		}
	}
}

func TestProgrammersFaults(t *testing.T) {
	type untagged struct{ A string }
	type undocumented struct {
		A string `koanf:"a"`
	}
	type twice struct {
		A string `koanf:"a_b" doc:"x"`
		B struct {
			B string `koanf:"b" doc:"x"`
		} `koanf:"a"`
	}
	for _, dst := range []any{nil, settings{}, (*settings)(nil), new(int), &untagged{}, &undocumented{}, &twice{}} {
		if err := Load(dst, nil, nil, "plenum"); err == nil {
			t.Errorf("%T was accepted", dst)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	s := Secret("hunter2")
	holder := struct{ S Secret }{s}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", s, "holder", holder)
	cfg := defaults()
	cfg.Password = s
	var printed Help
	if err := Load(cfg, []string{"--print-config"}, nil, "plenum"); !errors.As(err, &printed) {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %s %q %x %d %+v %#v", s, s, s, s, s, holder, holder), string(encoded), logged.String(), printed.Text, fmt.Sprint(&holder),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e") || !strings.Contains(text, Mask) {
			t.Errorf("shown: %s", text)
		}
	}
	if s.Reveal() != "hunter2" || Secret("").String() != "" {
		t.Error("the secret itself is lost")
	}
}

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"text":                     "text",
		"sqlite:./data/x.db":       "sqlite:./data/x.db",
		"postgres://u@h/d":         "postgres://u@h/d",
		"postgres://u:p@h/d?a=b":   "postgres://u:" + Mask + "@h/d?a=b",
		"postgres://u:p%zz@h/d":    Mask,
		"nats://user:pa:ss@h:4222": "nats://user:" + Mask + "@h:4222",
	} {
		if got := maskURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// golden compares with testdata/name, or rewrites it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s (%v): got\n%s", name, err, got)
	}
}

func TestDescriptions(t *testing.T) {
	for _, flag := range []string{"--help", "-h"} {
		var help Help
		if err := Load(defaults(), []string{flag}, nil, "plenum"); !errors.As(err, &help) || help.ExitCode() != 0 {
			t.Fatalf("%s: %v", flag, err)
		}
		golden(t, "help.txt", help.Text)
	}
	var printed Help
	if err := Load(defaults(), []string{"--print-config", "--debug"}, []string{"PLENUM_PASSWORD=x"}, "plenum"); !errors.As(err, &printed) {
		t.Fatal(err)
	}
	golden(t, "printed.yaml", printed.Text)

	// What is printed can be loaded again, but for the masks.
	again := defaults()
	if err := Load(again, []string{"--config", write(t, printed.Text)}, nil, "plenum"); err != nil || !again.Debug || again.Password != Mask {
		t.Errorf("%+v %v", again, err)
	}
}
