package wire

import (
	"container/heap"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPacketArrivesAtItsAddressAlone(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		sent, p := time.Now(), datagram(alice, bob, "to bob")
		a.send(p)
		if got := b.arrived(); len(got) != 1 || !slices.Equal(got[0].packet, p) || !got[0].at.Equal(sent) {
			t.Errorf("bob got %v, want %x at %v", got, p, sent)
		}
		a.send(datagram(alice, alice, "to myself"))
		if got := texts(a.arrived()); !slices.Equal(got, []string{"to myself"}) {
			t.Errorf("alice got %q", got)
		}
		if got := append(b.arrived(), c.arrived()...); len(got) != 0 {
			t.Errorf("bob and carol got %v", got)
		}
		counted(t, s, 2, 0)
	})
}

func TestPacketsForNobodyAreLost(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		a.send(datagram(alice, netip.MustParseAddr("10.9.0.99"), "anyone?"))
		counted(t, s, 0, 1)
		six := datagram(alice, bob, "IPv6")
		six[0] = 0x60
		a.send(six, []byte{}, []byte("no packet"))
		counted(t, s, 0, 1)
		if got := slices.Concat(a.arrived(), b.arrived(), c.arrived()); len(got) != 0 {
			t.Errorf("arrived: %v", got)
		}
	})
}

func TestADelayedPacketArrivesExactlyThen(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		add(t, s, Rule{Delay: 250 * time.Millisecond})
		add(t, s, Rule{From: []netip.Addr{alice}, Delay: time.Second})
		for i, from := range []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond} {
			time.Sleep(from)
			sent := time.Now()
			a.send(datagram(alice, bob, "slow"))
			time.Sleep(1250*time.Millisecond - time.Nanosecond)
			if got := b.arrived(); len(got) != 0 {
				t.Errorf("packet %d: early: %v", i, got)
			}
			time.Sleep(time.Nanosecond)
			if got := b.arrived(); len(got) != 1 || got[0].at.Sub(sent) != 1250*time.Millisecond {
				t.Errorf("packet %d, sent at %v: %v", i, sent, got)
			}
		}
		counted(t, s, 3, 0)
	})
}

func TestAWaitingPacketIsNotOverwritten(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		add(t, s, Rule{Delay: time.Second})
		a.send(datagram(alice, bob, "first"), datagram(alice, bob, "later"))
		time.Sleep(time.Second)
		if got := texts(b.arrived()); !slices.Equal(got, []string{"first", "later"}) {
			t.Errorf("arrived: %q", got)
		}
	})
}

func TestEqualDelaysKeepTheOrder(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{Delay: 40 * time.Millisecond})
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprint(i))
			from, source := alice, a
			if i%2 == 1 {
				from, source = carol, c
			}
			source.send(datagram(from, bob, want[i]))
			if i%10 == 9 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(40 * time.Millisecond)
		if got := texts(b.arrived()); !slices.Equal(got, want) {
			t.Errorf("arrived: %q", got)
		}
	})
}

func TestJitterStaysWithinItsBounds(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		const delay, jitter = 100 * time.Millisecond, 50 * time.Millisecond
		add(t, s, Rule{Delay: delay, Jitter: jitter})
		var want []string
		sent := time.Now()
		for i := range 500 {
			want = append(want, fmt.Sprintf("%03d", i))
			a.send(datagram(alice, bob, want[i]))
		}
		time.Sleep(delay + jitter)
		all := b.arrived()
		got := texts(all)
		if slices.Equal(got, want) {
			t.Error("no packet was overtaken")
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("arrived: %q", got)
		}
		least, most := all[0].at.Sub(sent), all[len(all)-1].at.Sub(sent)
		if least < delay || most > delay+jitter || most-least < jitter/2 {
			t.Errorf("delays of %v to %v", least, most)
		}
	})
}

func TestAFullQueueLosesWhatComesNext(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{To: []netip.Addr{bob}, Delay: time.Second})
		for i := range maxQueued + 3 {
			a.send(datagram(alice, bob, fmt.Sprint(i)))
		}
		counted(t, s, maxQueued, 3)
		a.send(datagram(alice, carol, "another port"))
		counted(t, s, maxQueued+1, 3)
		if got := texts(c.arrived()); !slices.Equal(got, []string{"another port"}) {
			t.Errorf("carol got %q", got)
		}
		time.Sleep(time.Second)
		got := texts(b.arrived())
		if len(got) != maxQueued || got[0] != "0" || got[maxQueued-1] != fmt.Sprint(maxQueued-1) {
			t.Errorf("%d packets arrived, from %q to %q", len(got), got[0], got[len(got)-1])
		}
		a.send(datagram(alice, bob, "room again"))
		time.Sleep(time.Second)
		if got := texts(b.arrived()); !slices.Equal(got, []string{"room again"}) {
			t.Errorf("afterwards: %q", got)
		}
		counted(t, s, maxQueued+2, 3)
	})
}

func TestARemovedRuleNoLongerHolds(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		down := Rule{Down: true}
		one, other := add(t, s, down), add(t, s, down)
		a.send(datagram(alice, bob, "both hold"))
		one()
		one() // again: nothing
		a.send(datagram(alice, bob, "one holds"))
		other()
		a.send(datagram(alice, bob, "none holds"))
		if got := texts(b.arrived()); !slices.Equal(got, []string{"none holds"}) {
			t.Errorf("arrived: %q", got)
		}
		counted(t, s, 1, 2)
	})
}

func TestPacketsOvertakeThoseOfARemovedDelay(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		remove := add(t, s, Rule{Delay: time.Second})
		start := time.Now()
		a.send(datagram(alice, bob, "slow"))
		remove()
		a.send(datagram(alice, bob, "fast"))
		time.Sleep(time.Second)
		all := b.arrived()
		if got := texts(all); !slices.Equal(got, []string{"fast", "slow"}) {
			t.Fatalf("arrived: %q", got)
		}
		if fast, slow := all[0].at.Sub(start), all[1].at.Sub(start); fast != 0 || slow != time.Second {
			t.Errorf("after %v and %v", fast, slow)
		}
	})
}

func TestASlowPacketDoesNotHoldUpAFastOne(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{From: []netip.Addr{alice}, Delay: time.Second})
		add(t, s, Rule{From: []netip.Addr{carol}, Delay: 6 * time.Second})
		start := time.Now()
		a.send(datagram(alice, bob, "fast"))
		c.send(datagram(carol, bob, "slow"))
		time.Sleep(6 * time.Second)
		if got := b.arrived(); len(got) != 2 || got[0].at.Sub(start) != time.Second || got[1].at.Sub(start) != 6*time.Second {
			t.Errorf("sent at %v, arrived: %v", start, got)
		}
	})
}

func TestAPacketDoesNotOvertakeOneThatIsDue(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		p := s.ports[bob]
		p.mu.Lock()
		heap.Push(&p.waiting, queued{due: time.Now(), packet: datagram(alice, bob, "due")})
		p.mu.Unlock()
		a.send(datagram(alice, bob, "later"))
		time.Sleep(time.Nanosecond)
		if got := texts(b.arrived()); !slices.Equal(got, []string{"due", "later"}) {
			t.Errorf("arrived: %q", got)
		}
	})
}

func TestDownIsOneWay(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{From: []netip.Addr{alice}, To: []netip.Addr{bob}, Down: true})
		a.send(segment(alice, bob, flagACK, 1, 2, "lost"), datagram(alice, bob, "lost"), datagram(alice, carol, "there"))
		b.send(datagram(bob, alice, "back"))
		c.send(datagram(carol, bob, "aside"))
		for name, x := range map[string]struct {
			d    *device
			want string
		}{"alice": {a, "back"}, "bob": {b, "aside"}, "carol": {c, "there"}} {
			if got := texts(x.d.arrived()); !slices.Equal(got, []string{x.want}) {
				t.Errorf("%s got %q, want %q", name, got, x.want)
			}
		}
		counted(t, s, 3, 2)
	})
}

func TestLossOfNoneAndOfAll(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{To: []netip.Addr{bob}, Loss: 1})
		add(t, s, Rule{To: []netip.Addr{carol}, Loss: 0})
		for range 100 {
			a.send(datagram(alice, bob, "lost"), datagram(alice, carol, "there"))
		}
		if lost, there := len(b.arrived()), len(c.arrived()); lost != 0 || there != 100 {
			t.Errorf("%d of 100 arrive where all are lost, %d of 100 where none is", lost, there)
		}
		counted(t, s, 100, 100)
	})
}

func TestCutTellsTheSenderAlone(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		remove := add(t, s, Rule{From: []netip.Addr{alice}, To: []netip.Addr{bob}, Cut: true})
		p := segment(alice, bob, flagACK, 1, 2, "text")
		a.send(p)
		told := a.arrived()
		if len(told) != 1 {
			t.Fatalf("alice is told %v", told)
		}
		isReset(t, p, told[0].packet)
		a.send(datagram(alice, bob, "UDP"), segment(alice, bob, flagRST, 1, 0, ""))
		if got := append(a.arrived(), b.arrived()...); len(got) != 0 {
			t.Errorf("of UDP and a reset: %v", got)
		}
		counted(t, s, 0, 3)
		b.send(datagram(bob, alice, "back"))
		remove()
		a.send(datagram(alice, bob, "again"))
		if back, again := texts(a.arrived()), texts(b.arrived()); !slices.Equal(append(back, again...), []string{"back", "again"}) {
			t.Errorf("alice got %q, bob got %q", back, again)
		}
		counted(t, s, 2, 3)
	})
}

func TestAResetDoesNotWaitForADelay(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		add(t, s, Rule{Delay: time.Second})
		b.send(datagram(bob, alice, "slow"))
		add(t, s, Rule{From: []netip.Addr{alice}, Cut: true})
		start := time.Now()
		a.send(segment(alice, bob, flagACK, 1, 2, "text"))
		time.Sleep(time.Second)
		if got := a.arrived(); len(got) != 2 || len(got[0].packet) != 40 || !got[0].at.Equal(start) || got[1].at.Sub(start) != time.Second {
			t.Errorf("alice got %v, the cut was at %v", got, start)
		}
	})
}

func TestASenderThatIsNotPluggedInIsNotTold(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		add(t, s, Rule{Cut: true})
		a.send(segment(netip.MustParseAddr("10.9.0.99"), bob, flagACK, 1, 2, "forged"))
		if got := slices.Concat(a.arrived(), b.arrived(), c.arrived()); len(got) != 0 {
			t.Errorf("arrived: %v", got)
		}
		counted(t, s, 0, 1)
	})
}

func TestAnAddressIsPluggedInOnce(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		second := newDevice()
		if err := s.Plug(bob, second); err == nil || !strings.Contains(err.Error(), bob.String()) {
			t.Errorf("a second time: %v", err)
		}
		select {
		case second.out <- datagram(bob, alice, "read"):
			t.Error("the second device is read from")
		default:
		}
		a.send(datagram(alice, bob, "to the first"))
		if got := texts(b.arrived()); !slices.Equal(got, []string{"to the first"}) {
			t.Errorf("arrived: %q", got)
		}
		if got := second.arrived(); len(got) != 0 {
			t.Errorf("at the second: %v", got)
		}
	})
}

func TestADeviceThatFailsLeavesTheOthersAlone(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		_ = b.Close()
		synctest.Wait()
		a.send(datagram(alice, bob, "lost"), datagram(alice, carol, "there"))
		if got := texts(c.arrived()); !slices.Equal(got, []string{"there"}) {
			t.Errorf("arrived: %q", got)
		}
		counted(t, s, 1, 1)
	})
}

func TestWhatADeviceDoesNotTakeIsLost(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, _ *device) {
		b.takeError = errors.New("its process has ended")
		a.send(datagram(alice, bob, "lost"))
		b.takeError = nil
		a.send(datagram(alice, bob, "there"))
		if got := texts(b.arrived()); !slices.Equal(got, []string{"there"}) {
			t.Errorf("arrived: %q", got)
		}
		counted(t, s, 1, 1)
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it fails if a goroutine is left
		s, a, b := &Switch{}, newDevice(), newDevice()
		a.lingers, b.closeError = time.Second, io.ErrUnexpectedEOF
		for address, d := range map[netip.Addr]*device{alice: a, bob: b} {
			if err := s.Plug(address, d); err != nil {
				t.Fatal(err)
			}
		}
		add(t, s, Rule{Delay: maxDelay})
		a.send(datagram(alice, bob, "on its way"))
		held, start := s.ports[bob], time.Now()
		if err := s.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the error of a device: %v", err)
		}
		if took := time.Since(start); took != a.lingers {
			t.Errorf("it took %v, a device was read from for %v", took, a.lingers)
		}
		for name, d := range map[string]*device{"alice": a, "bob": b} {
			select {
			case <-d.gone:
			default:
				t.Errorf("%s's device is open", name)
			}
		}
		if late := datagram(alice, bob, "too late"); held.send(late, 0) || held.send(late, time.Second) {
			t.Error("a closed port takes packets")
		}
		held.flush() // as of a timer that has just fired
		time.Sleep(2 * maxDelay)
		if got := b.arrived(); len(got) != 0 {
			t.Errorf("after the end: %v", got)
		}
		if err := s.Close(); err != nil {
			t.Errorf("a second time: %v", err)
		}
	})
}

func TestASwitchIsSafeForConcurrentUse(t *testing.T) {
	onASwitch(t, func(t *testing.T, s *Switch, a, b, c *device) {
		const each = 300
		done := make(chan struct{})
		for from, d := range map[netip.Addr]*device{alice: a, bob: b, carol: c} {
			go func() {
				for i := range each {
					to := []netip.Addr{alice, bob, carol}[i%3]
					d.out <- segment(from, to, flagACK, 1, 2, "text")
				}
				done <- struct{}{}
			}()
		}
		go func() {
			for i := range each {
				rule := []Rule{{Jitter: time.Second}, {Down: true}, {Cut: true}, {Loss: 0.5, Delay: time.Millisecond}}[i%4]
				remove, err := s.Add(rule)
				if err != nil {
					t.Error(err)
					break
				}
				remove()
				s.Counts()
			}
			done <- struct{}{}
		}()
		for range 4 {
			<-done
		}
		synctest.Wait()
		if carried, lost := s.Counts(); carried+lost != 3*each {
			t.Errorf("%d packets carried and %d lost of %d", carried, lost, 3*each)
		}
	})
}
