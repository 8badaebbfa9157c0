package wire

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

func TestRulesHaveLimits(t *testing.T) {
	for name, x := range map[string]struct {
		rule Rule
		ok   bool
	}{
		"nothing":             {Rule{}, true},
		"no loss":             {Rule{Loss: 0}, true},
		"all lost":            {Rule{Loss: 1}, true},
		"less than no loss":   {Rule{Loss: -0.001}, false},
		"more than all lost":  {Rule{Loss: 1.001}, false},
		"endless loss":        {Rule{Loss: math.Inf(1)}, false},
		"the longest delay":   {Rule{Delay: maxDelay}, true},
		"a longer one":        {Rule{Delay: maxDelay + 1}, false},
		"the longest jitter":  {Rule{Jitter: maxDelay}, true},
		"a longer jitter":     {Rule{Jitter: maxDelay + 1}, false},
		"both at their most":  {Rule{Delay: maxDelay / 2, Jitter: maxDelay / 2}, true},
		"both beyond it":      {Rule{Delay: maxDelay / 2, Jitter: maxDelay/2 + 1}, false},
		"a negative delay":    {Rule{Delay: -1}, false},
		"a negative jitter":   {Rule{Jitter: -1}, false},
		"one that undoes one": {Rule{Delay: 2, Jitter: -1}, false},
	} {
		if err := x.rule.Validate(); (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
		var s Switch
		if remove, err := s.Add(x.rule); (err == nil) != x.ok || (remove != nil) != x.ok {
			t.Errorf("%s: Add: %v", name, err)
		}
	}
}

func TestARuleWithoutAddressesCoversAll(t *testing.T) {
	a, b := []netip.Addr{alice}, []netip.Addr{bob}
	for name, x := range map[string]struct {
		rule                    Rule
		there, back, fromAThird bool // alice to bob, bob to alice, carol to bob
	}{
		"from all to all":       {Rule{}, true, true, true},
		"from one to all":       {Rule{From: a}, true, false, false},
		"from all to one":       {Rule{To: b}, true, false, true},
		"from one to one":       {Rule{From: a, To: b}, true, false, false},
		"from several to all":   {Rule{From: []netip.Addr{carol, alice}}, true, false, true},
		"from one to some else": {Rule{From: a, To: []netip.Addr{carol}}, false, false, false},
	} {
		there, back, third := x.rule.covers(alice, bob), x.rule.covers(bob, alice), x.rule.covers(carol, bob)
		if there != x.there || back != x.back || third != x.fromAThird {
			t.Errorf("%s: %v %v %v", name, there, back, third)
		}
	}
}

// dropped is how many packets of so many are lost by one rule.
func dropped(r Rule, of int) (n int) {
	for range of {
		if decide([]*Rule{&r}, alice, bob).drop {
			n++
		}
	}
	return n
}

func TestLossIsAShare(t *testing.T) {
	const of = 10_000
	if n := dropped(Rule{Loss: 0}, of); n != 0 {
		t.Errorf("no loss: %d packets are lost", n)
	}
	if n := dropped(Rule{Loss: 1}, of); n != of {
		t.Errorf("a loss of all: %d of %d packets are lost", n, of)
	}
	if n := dropped(Rule{Loss: 0.3}, of); n < 2500 || n > 3500 { // ten standard deviations
		t.Errorf("a loss of 0.3: %d of %d packets are lost", n, of)
	}
}

func TestAllRulesCountTogether(t *testing.T) {
	slow, slower := &Rule{Delay: 100 * time.Millisecond}, &Rule{From: []netip.Addr{alice}, Delay: time.Second}
	down, cut := &Rule{To: []netip.Addr{bob}, Down: true}, &Rule{To: []netip.Addr{carol}, Cut: true}
	rules := []*Rule{slow, cut, down, slower}
	for name, x := range map[string]struct {
		rules    []*Rule
		from, to netip.Addr
		want     fate
	}{
		"no rules":        {nil, alice, bob, fate{}},
		"one delay":       {rules, bob, alice, fate{delay: 100 * time.Millisecond}},
		"two delays, cut": {rules, alice, carol, fate{cut: true, delay: 1100 * time.Millisecond}},
		"a later rule":    {rules, alice, bob, fate{drop: true, delay: 1100 * time.Millisecond}},
		"one twice":       {[]*Rule{slow, slow}, alice, bob, fate{delay: 200 * time.Millisecond}},
	} {
		if f := decide(x.rules, x.from, x.to); f != x.want {
			t.Errorf("%s: %+v, want %+v", name, f, x.want)
		}
	}
}
