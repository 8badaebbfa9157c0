package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// chronicle is a hub that keeps records of the workspace "w", with one gateway, and a clock of its own.
type chronicle struct {
	*testing.T
	*hub
	g     *gateway
	place registry.Placement
	start time.Time
	now   time.Time
}

func newChronicle(t *testing.T) *chronicle {
	d := &chronicle{T: t, start: time.Unix(1_000_000, 0), place: placeOf("presence-1")}
	d.now, d.hub = d.start, newHub(DefaultConfig(), "presence-1")
	d.setRecorded(map[string]time.Time{"w": {}}, d.now)
	d.setPlacement(d.now, d.place, []string{"a"}, true)
	d.g = d.openStream("a", d.now)
	d.tell(&rosterv1.ReportRequest{Complete: d.place.Number()})
	return d
}

var ada = personKey{"w", "ada"}

func (d *chronicle) tell(q *rosterv1.ReportRequest) {
	d.Helper()
	if !d.report(d.g, q, d.now) {
		d.Fatal("the gateway's stream has ended")
	}
}

// open connects ada's session, and tells the hub that she has chosen nothing.
func (d *chronicle) open(number uint64, agent string, age time.Duration) {
	d.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{
		Number: number, Workspace: "w", User: "ada", Session: "s", Agent: agent, Program: agent == "bot", AgeS: uint32(age.Seconds()), IdleS: new(uint32(min(age, time.Minute).Seconds())),
	}}})
	answer(d.hub, d.now)
}

func (d *chronicle) close(number uint64) { d.tell(&rosterv1.ReportRequest{Closed: []uint64{number}}) }
func (d *chronicle) active(number uint64) {
	d.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: number}}})
}

// pass lets time go by.
func (d *chronicle) pass(by time.Duration) {
	for end := d.now.Add(by); d.now.Before(end); {
		d.now = earliest(d.now.Add(10*time.Second), end)
		if d.gateways["a"] == d.g {
			d.tell(&rosterv1.ReportRequest{})
		}
		d.tick(d.now)
	}
}

// expect compares what was recorded since the last time: from when to when, and how it was spent.
func (d *chronicle) expect(want ...string) {
	d.Helper()
	var got []string
	for _, r := range d.takeEnded(maxEnded) {
		var line strings.Builder
		fmt.Fprint(&line, r.start.Sub(d.start), " to ", r.end.Sub(d.start))
		for state, spent := range r.spent {
			if spent > 0 {
				fmt.Fprint(&line, " ", presencev1.State(state).String()[len("STATE_"):], " ", spent)
			}
		}
		for kind, m := range r.minutes {
			if m.count > 0 {
				fmt.Fprint(&line, " ", edgev1.Doing(kind).String()[len("DOING_"):], " ", m.count)
			}
		}
		got = append(got, line.String())
	}
	if !slices.Equal(got, want) {
		d.Errorf("recorded %q, want %q", got, want)
	}
}

// TestRecords: when records begin and end, and how they say time was spent.
func TestRecords(t *testing.T) {
	for name, test := range map[string]func(d *chronicle){
		"a session": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(3 * time.Minute)
			d.active(1)
			d.pass(7 * time.Minute)
			d.close(1)
			d.expect()
			d.pass(time.Minute)
			d.expect("0s to 10m0s ONLINE 8m0s AWAY 2m0s")
		},
		"back within the time of grace": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.close(1)
			d.pass(30 * time.Second)
			d.open(2, "x", 0)
			d.pass(30 * time.Second)
			d.close(2)
			d.pass(time.Minute)
			d.expect("0s to 2m0s ONLINE 2m0s")
		},
		"another one at the same time": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.open(2, "x", 0)
			d.close(1)
			d.pass(time.Minute)
			d.close(2)
			d.pass(time.Minute)
			d.expect("0s to 2m0s ONLINE 2m0s")
		},
		"back when it is over": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.open(2, "x", 0)
			d.close(2)
			d.pass(time.Minute)
			d.expect("0s to 1m0s ONLINE 1m0s")
		},
		"dormant": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(20 * time.Minute)
			d.active(1)
			d.pass(40 * time.Minute)
			d.expect("0s to 20m0s ONLINE 5m0s AWAY 15m0s")
			d.active(1)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("1h0m0s to 1h1m0s ONLINE 1m0s")
		},
		"dormant unnoticed": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.active(1)
			d.now = d.now.Add(time.Hour)
			d.active(1)
			d.expect("0s to 1m0s ONLINE 1m0s")
		},
		"chosen": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_BUSY, until: d.now.Add(2 * time.Minute)}}, d.now)
			d.pass(3 * time.Minute)
			d.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_DO_NOT_DISTURB}}, d.now)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("0s to 5m0s ONLINE 2m0s BUSY 2m0s DO_NOT_DISTURB 1m0s")
		},
		"invisible": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_INVISIBLE}}, d.now)
			d.expect("0s to 1m0s ONLINE 1m0s")
			d.pass(time.Minute)
			d.choose(map[personKey]choice{ada: {shown: d.now}}, d.now)
			d.pass(time.Minute)
			d.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_INVISIBLE, until: d.now.Add(15 * time.Second)}}, d.now)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("2m0s to 3m0s ONLINE 1m0s", "3m15s to 4m0s ONLINE 45s")
		},
		"invisible before": func(d *chronicle) { // it moves here, and was hidden until two minutes ago
			d.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 1, Workspace: "w", User: "ada", Session: "s", AgeS: 600, IdleS: proto.Uint32(0)}}})
			d.load(map[personKey]choice{ada: {shown: d.now.Add(-2 * time.Minute)}}, d.now)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("-2m0s to 1m0s ONLINE 1m0s")
		},
		"not known yet": func(d *chronicle) {
			d.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 1, Workspace: "w", User: "ada", Session: "s"}}})
			d.pass(time.Minute)
			d.load(map[personKey]choice{ada: {}}, d.now)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("0s to 2m0s ONLINE 2m0s")
		},
		"never known": func(d *chronicle) {
			d.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: 1, Workspace: "w", User: "ada", Session: "s"}}})
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect()
		},
		"a program": func(d *chronicle) {
			d.open(1, "bot", 0)
			d.pass(30 * time.Hour)
			d.expect("0s to 24h0m0s ONLINE 24h0m0s")
			d.close(1)
			d.pass(time.Minute)
			d.expect("24h0m0s to 30h0m0s ONLINE 6h0m0s")
		},
		"the gateway dies": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.closeStream(d.g, d.now)
			d.pass(time.Minute)
			d.expect("0s to 1m0s ONLINE 1m0s")
		},
		"the gateway comes back": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.closeStream(d.g, d.now)
			d.pass(30 * time.Second)
			d.g = d.openStream("a", d.now)
			d.open(1, "x", 90*time.Second)
			d.pass(30 * time.Second)
			d.close(1)
			d.pass(time.Minute)
			d.expect("0s to 2m0s ONLINE 2m0s")
		},
		"it began elsewhere": func(d *chronicle) {
			d.open(1, "x", 10*time.Minute)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("-10m0s to 1m0s ONLINE 1m0s") // how it was spent there isn't known
		},
		"it began elsewhere long ago": func(d *chronicle) {
			d.open(1, "x", 49*time.Hour)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect("-1h0m0s to 1m0s ONLINE 1m0s") // what came before was cut off there
		},
		"it goes on elsewhere": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.setPlacement(d.now, placeOf("presence-2"), []string{"a"}, true)
			d.close(1)
			d.pass(time.Minute)
			d.expect()
		},
		"it may go on elsewhere": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.setPlacement(d.now, d.place, []string{"a"}, false)
			d.active(1)
			d.pass(time.Hour)
			d.active(1)
			d.endStretches(d.now)
			d.expect()
		},
		"switched on": func(d *chronicle) {
			d.setRecorded(nil, d.now)
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.setRecorded(map[string]time.Time{"v": d.now, "w": d.now}, d.now)
			d.pass(time.Minute)
			d.setRecorded(map[string]time.Time{"v": {}, "w": d.start.Add(time.Minute)}, d.now)
			d.close(1)
			d.pass(time.Minute)
			d.expect("1m0s to 2m0s ONLINE 1m0s")
		},
		"switched off": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.setRecorded(nil, d.now)
			d.close(1)
			d.pass(time.Minute)
			d.expect()
		},
		"another workspace": func(d *chronicle) {
			d.setRecorded(map[string]time.Time{"v": {}}, d.now)
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.close(1)
			d.pass(time.Minute)
			d.expect()
		},
		"the process stops": func(d *chronicle) {
			d.open(1, "x", 0)
			d.pass(time.Minute)
			d.endStretches(d.now)
			d.expect("0s to 1m0s ONLINE 1m0s")
		},
		"what was done": func(d *chronicle) {
			d.open(1, "x", 0)
			for range 3 {
				d.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{
					{Number: 1, Kinds: []edgev1.Doing{edgev1.Doing_DOING_CHAT, edgev1.Doing_DOING_WRITE, 77, -1}}, {Number: 2, Kinds: []edgev1.Doing{edgev1.Doing_DOING_MEET}},
				}})
				d.pass(30 * time.Second)
			}
			d.tell(&rosterv1.ReportRequest{Deeds: []*rosterv1.Deed{{Number: 1, Kinds: []edgev1.Doing{edgev1.Doing_DOING_REVIEW}}}})
			d.close(1)
			d.pass(time.Minute)
			d.expect("0s to 1m30s ONLINE 1m30s CHAT 2 WRITE 2 REVIEW 1")
		},
	} {
		t.Run(name, func(t *testing.T) { test(newChronicle(t)) })
	}
}

// TestManyRecords: while the database is away records wait, and what there is no room for is counted.
func TestManyRecords(t *testing.T) {
	d := newChronicle(t)
	d.open(1, "bot", 0)
	for range maxEnded + 5 {
		d.now = d.now.Add(time.Second)
		d.choose(map[personKey]choice{ada: {state: presencev1.State_STATE_INVISIBLE}}, d.now)
		d.choose(map[personKey]choice{ada: {shown: d.now}}, d.now)
	}
	if len(d.ended) != maxEnded || d.lostRecords != 5 {
		t.Errorf("%d records wait, and %d are lost", len(d.ended), d.lostRecords)
	}
	if n := len(d.takeEnded(recordBatch)); n != recordBatch || len(d.ended) != maxEnded-recordBatch {
		t.Errorf("%d are taken, %d are left", n, len(d.ended))
	}
}

// TestTrim: what was recorded of a session before is taken off.
func TestTrim(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	r := record{start: at(100), end: at(200), spent: shares{presencev1.State_STATE_ONLINE: 60 * time.Second, presencev1.State_STATE_AWAY: 30 * time.Second}}
	if !r.trim(at(50)) || r.start != at(100) || r.spent[presencev1.State_STATE_ONLINE] != time.Minute {
		t.Errorf("nothing is to be taken off: %v", r)
	}
	if !r.trim(at(155)) || r.start != at(155) || r.spent[presencev1.State_STATE_ONLINE] != 30*time.Second || r.spent[presencev1.State_STATE_AWAY] != 15*time.Second {
		t.Errorf("half of it is known: %v", r)
	}
	if r.trim(at(200)) || r.trim(at(300)) {
		t.Error("nothing is left")
	}
}
