package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

const (
	flagFIN  = 0x01
	flagSYN  = 0x02
	flagPSH  = 0x08
	protoUDP = 17
)

var (
	alice = netip.MustParseAddr("10.9.0.1")
	bob   = netip.MustParseAddr("10.9.0.2")
	carol = netip.MustParseAddr("10.9.0.3")
)

// ipv4 is a packet with a header of 20 bytes.
func ipv4(from, to netip.Addr, proto byte, payload []byte) []byte {
	p := make([]byte, 20, 20+len(payload))
	p[0], p[8], p[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(p[2:], uint16(20+len(payload)))
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	return append(p, payload...)
}

// segment is a TCP packet from port 1111 to port 2222.
func segment(from, to netip.Addr, flags byte, seq, ack uint32, payload string) []byte {
	tcp := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(tcp[0:], 1111)
	binary.BigEndian.PutUint16(tcp[2:], 2222)
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = 5<<4, flags
	return ipv4(from, to, protoTCP, append(tcp, payload...))
}

// datagram is a UDP packet that carries text.
func datagram(from, to netip.Addr, text string) []byte {
	return ipv4(from, to, protoUDP, append(make([]byte, 8), text...))
}

// addsUp is what a receiver does to verify a checksum: the words with it among them come to all ones (RFC 1071).
func addsUp(b []byte) bool {
	var s uint64
	for i := 0; i+1 < len(b); i += 2 {
		s += uint64(b[i])<<8 | uint64(b[i+1])
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return s == 0xffff
}

// isReset checks that r takes back what TCP packet p asked for.
func isReset(t *testing.T, p, r []byte) {
	t.Helper()
	if len(r) != 40 || r[0] != 0x45 || binary.BigEndian.Uint16(r[2:]) != 40 || r[8] == 0 || r[9] != protoTCP {
		t.Fatalf("no TCP packet of 40 bytes: %x", r)
	}
	tcp := p[int(p[0]&0x0f)*4:]
	if !bytes.Equal(r[12:16], p[16:20]) || !bytes.Equal(r[16:20], p[12:16]) {
		t.Errorf("from %v to %v, the packet was from %v to %v", r[12:16], r[16:20], p[12:16], p[16:20])
	}
	if !bytes.Equal(r[20:22], tcp[2:4]) || !bytes.Equal(r[22:24], tcp[0:2]) {
		t.Errorf("from port %x to %x, the packet was from %x to %x", r[20:22], r[22:24], tcp[0:2], tcp[2:4])
	}
	if r[32] != 5<<4 || r[33]&flagRST == 0 || r[33]&^(flagRST|flagACK) != 0 {
		t.Errorf("header length and flags: %x %x", r[32], r[33])
	}
	if !addsUp(r[:20]) {
		t.Errorf("the checksum of the IP header is wrong: %x", r)
	}
	if pseudo := slices.Concat(r[12:20], []byte{0, protoTCP, 0, 20}); !addsUp(append(pseudo, r[20:]...)) {
		t.Errorf("the checksum of TCP is wrong: %x", r)
	}
}

func TestAResetIsWhatTheSenderAccepts(t *testing.T) {
	const seq, ack = 0xffffffff, 0x89abcdef // the former wraps around
	for name, x := range map[string]struct {
		flags    byte
		payload  string
		answer   byte
		seq, ack uint32
	}{
		"to a SYN":     {flagSYN, "", flagRST | flagACK, 0, 0},
		"to a SYN-ACK": {flagSYN | flagACK, "", flagRST, ack, 0},
		"to an ACK":    {flagACK, "", flagRST, ack, 0},
		"to data":      {flagPSH | flagACK, "text", flagRST, ack, 0},
		"to a FIN":     {flagFIN | flagACK, "", flagRST, ack, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := segment(alice, bob, x.flags, seq, ack, x.payload)
			r := reset(p)
			isReset(t, p, r)
			if s, a := binary.BigEndian.Uint32(r[24:]), binary.BigEndian.Uint32(r[28:]); r[33] != x.answer || s != x.seq || a != x.ack {
				t.Errorf("flags %#x, seq %#x, ack %#x; want %#x, %#x, %#x", r[33], s, a, x.answer, x.seq, x.ack)
			}
		})
	}
}

func TestAResetFollowsIPOptions(t *testing.T) {
	p := segment(alice, bob, flagACK, 1, 2, "text")
	p = slices.Insert(p, 20, 1, 1, 1, 0) // no-operation thrice, end of options
	p[0] = 0x46
	isReset(t, p, reset(p))
}

func TestNobodyIsToldByAReset(t *testing.T) {
	tcp := segment(alice, bob, flagACK, 1, 2, "text")
	later := slices.Clone(tcp)
	later[7] = 1
	last := slices.Clone(tcp)
	last[6] = 0x1f
	options := slices.Clone(tcp[:40])
	options[0] = 0x46 // the header of TCP would end beyond the packet
	tiny := slices.Clone(tcp)
	tiny[0] = 0x44
	for name, p := range map[string][]byte{
		"a reset":                     segment(alice, bob, flagRST, 1, 0, ""),
		"a reset with an ACK":         segment(alice, bob, flagRST|flagACK, 1, 2, ""),
		"UDP":                         ipv4(alice, bob, protoUDP, tcp[20:]),
		"ICMP":                        ipv4(alice, bob, 1, tcp[20:]),
		"a later fragment":            later,
		"a fragment far back":         last,
		"a packet cut short":          tcp[:39],
		"no more than IP's header":    tcp[:20],
		"options that leave no room":  options,
		"a header shorter than IP's":  tiny,
		"what reset itself has given": reset(tcp),
	} {
		if r := reset(p); r != nil {
			t.Errorf("%s: answered with %x", name, r)
		}
	}
}

func TestTheFirstFragmentIsAnswered(t *testing.T) {
	p := segment(alice, bob, flagACK, 1, 2, "text")
	p[6] = 0x20 // more fragments follow
	isReset(t, p, reset(p))
	p[6] = 0x40 // don't fragment
	isReset(t, p, reset(p))
}

func TestAddresses(t *testing.T) {
	p := datagram(alice, bob, "text")
	if from, to, ok := addresses(p); !ok || from != alice || to != bob {
		t.Errorf("%v, %v, %v", from, to, ok)
	}
	six := slices.Clone(p)
	six[0] = 0x60
	for name, p := range map[string][]byte{"nothing": nil, "19 bytes": p[:19], "IPv6": six} {
		if from, to, ok := addresses(p); ok {
			t.Errorf("%s: %v, %v", name, from, to)
		}
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte{})
	f.Add(segment(alice, bob, flagSYN, 1, 0, ""))
	f.Add(segment(alice, bob, flagACK, 1, 2, "text"))
	f.Add(segment(bob, alice, flagRST, 1, 0, ""))
	f.Add(datagram(alice, bob, "text"))
	f.Fuzz(func(t *testing.T, p []byte) {
		before := slices.Clone(p)
		from, to, ok := addresses(p)
		if !ok {
			return
		}
		r := reset(p)
		if !bytes.Equal(p, before) {
			t.Error("the packet was changed")
		}
		if r == nil {
			return
		}
		isReset(t, p, r)
		if back, there, ok := addresses(r); !ok || back != to || there != from {
			t.Errorf("from %v to %v, the packet was from %v to %v", back, there, from, to)
		}
		if reset(r) != nil {
			t.Error("a reset is answered with a reset")
		}
	})
}
