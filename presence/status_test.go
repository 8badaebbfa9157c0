package presence

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// TestLook goes through the rule that presence.proto gives, line by line.
func TestLook(t *testing.T) {
	cfg := DefaultConfig()
	now := time.Unix(1_000_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	here := []connection{{&gateway{}, 1}}
	active := &session{connections: here, device: presencev1.Device_DEVICE_BROWSER, active: ago(time.Minute)}
	idle := &session{connections: here, device: presencev1.Device_DEVICE_MOBILE, active: ago(cfg.Idle)}
	dormant := &session{connections: here, device: presencev1.Device_DEVICE_TABLET, active: ago(cfg.Dormant)}
	program := &session{connections: here, program: true, device: presencev1.Device_DEVICE_SYSTEM, active: ago(24 * time.Hour)}
	leaving := &session{device: presencev1.Device_DEVICE_DESKTOP, active: ago(time.Minute), left: ago(cfg.Grace - time.Second)}
	left := &session{device: presencev1.Device_DEVICE_DESKTOP, active: ago(time.Minute), left: ago(cfg.Grace)}
	busy := choice{state: presencev1.State_STATE_BUSY, emoji: "🛠", text: "mending", until: now.Add(time.Hour)}
	ended := busy
	ended.until = now
	if p := (privacy{country: true}); (choice{state: presencev1.State_STATE_BUSY, until: now, privacy: p}).at(now) != (choice{privacy: p}) {
		t.Error("what is told of somebody ends with what they have chosen to be seen as")
	}
	for name, c := range map[string]struct {
		sessions []*session
		chosen   choice
		want     string
		next     time.Duration // from now; 0: never
	}{
		"nobody":             {nil, choice{}, "state:STATE_OFFLINE", 0},
		"active":             {[]*session{active}, choice{}, "state:STATE_ONLINE devices:DEVICE_BROWSER", cfg.Idle - time.Minute},
		"idle":               {[]*session{idle}, choice{}, "state:STATE_AWAY devices:DEVICE_MOBILE", cfg.Dormant - cfg.Idle},
		"dormant":            {[]*session{dormant}, choice{}, "state:STATE_OFFLINE", 0},
		"one active":         {[]*session{idle, dormant, active}, choice{}, "state:STATE_ONLINE devices:DEVICE_MOBILE devices:DEVICE_BROWSER", cfg.Idle - time.Minute},
		"a program":          {[]*session{program}, choice{}, "state:STATE_ONLINE devices:DEVICE_SYSTEM", 0},
		"within grace":       {[]*session{leaving}, choice{}, "state:STATE_ONLINE devices:DEVICE_DESKTOP", time.Second},
		"behind grace":       {[]*session{left}, choice{}, "state:STATE_OFFLINE", 0},
		"busy":               {[]*session{idle}, busy, `state:STATE_BUSY devices:DEVICE_MOBILE custom:{emoji:"🛠" text:"mending"}`, cfg.Dormant - cfg.Idle},
		"busy, and not here": {[]*session{left}, busy, "state:STATE_OFFLINE", time.Hour},
		"was busy":           {[]*session{active}, ended, "state:STATE_ONLINE devices:DEVICE_BROWSER", cfg.Idle - time.Minute},
		"invisible":          {[]*session{active}, choice{state: presencev1.State_STATE_INVISIBLE, text: "hidden"}, "state:STATE_OFFLINE", cfg.Idle - time.Minute},
		"says something":     {[]*session{active}, choice{text: "hello"}, `state:STATE_ONLINE devices:DEVICE_BROWSER custom:{text:"hello"}`, cfg.Idle - time.Minute},
	} {
		var sessions []*session
		for i, s := range c.sessions {
			s.id = fmt.Sprint(i)
			sessions = append(sessions, s)
		}
		seen, next := statusAt(now, &inputs{sessions: sessions, chosen: c.chosen}, &cfg)
		want := &presencev1.Status{}
		if err := prototext.Unmarshal([]byte(c.want), want); err != nil {
			t.Fatal(name, err)
		}
		if !proto.Equal(seen, want) {
			t.Errorf("%s: seen as %v, want %v", name, seen, want)
		}
		var at time.Time
		if c.next != 0 {
			at = now.Add(c.next)
		}
		if !next.Equal(at) {
			t.Errorf("%s: to be looked at again at %v, want %v", name, next, at)
		}
	}
}

// TestCountry: somebody is where something was done last, in a session that counts.
func TestCountry(t *testing.T) {
	cfg := DefaultConfig()
	now := time.Unix(1_000_000, 0)
	here := []connection{{&gateway{}, 1}}
	at := func(country string, d time.Duration) *session {
		return &session{connections: here, country: countryOf(country), active: now.Add(-d)}
	}
	left := &session{country: countryOf("FR"), active: now, left: now.Add(-cfg.Grace)}
	program := at("FR", 24*time.Hour)
	program.device, program.program = presencev1.Device_DEVICE_SYSTEM, true
	for want, sessions := range map[string][]*session{
		"":   {left, at("FR", cfg.Dormant), at("", time.Minute), at("DE", 2*time.Minute)},
		"DE": {left, program, at("DE", time.Minute), at("NL", 2*time.Minute), at("de", 3*time.Minute)},
		"NL": {at("NL", time.Minute), at("DE", time.Minute)}, // always the same one
		"FR": {program},
	} {
		for range sessions { // in any order
			sessions = append(sessions[1:], sessions[0])
			if got := country(sessions, now, &cfg); got != want {
				t.Errorf("somebody is in %q, want %q", got, want)
			}
		}
	}
	for code, want := range map[string]string{"DE": "DE", "de": "", "D": "", "DEU": "", "D1": "", "T1": "", "": ""} {
		if got := country([]*session{at(code, 0)}, now, &cfg); got != want {
			t.Errorf("%q is kept as %q", code, got)
		}
	}
}
