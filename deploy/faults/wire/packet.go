package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	ipHeader  = 20 // bytes, without options
	tcpHeader = 20
	protoTCP  = 6
	flagRST   = 0x04
	flagACK   = 0x10
)

// addresses are the ends of an IPv4 packet; ok is false for anything else, which a switch drops.
func addresses(p []byte) (from, to netip.Addr, ok bool) {
	if len(p) < ipHeader || p[0]>>4 != 4 {
		return from, to, false
	}
	return netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), true
}

// reset is the packet that tells the sender of a TCP packet that its connection is gone (RFC 9293, 3.10.7.1); nil where there is
// nobody to tell: other protocols, later fragments, and resets themselves.
func reset(p []byte) []byte {
	header := int(p[0]&0x0f) * 4
	fragment := binary.BigEndian.Uint16(p[6:])&0x1fff != 0
	if header < ipHeader || len(p) < header+tcpHeader || p[9] != protoTCP || fragment {
		return nil
	}
	tcp := p[header:]
	flags := tcp[13]
	if flags&flagRST != 0 {
		return nil
	}
	out := make([]byte, ipHeader+tcpHeader)
	out[0], out[8], out[9] = 0x45, 64, protoTCP
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	copy(out[12:16], p[16:20])
	copy(out[16:20], p[12:16])
	back := out[ipHeader:]
	copy(back[0:2], tcp[2:4])
	copy(back[2:4], tcp[0:2])
	back[12] = tcpHeader / 4 << 4
	if flags&flagACK != 0 { // it has said what it expects next
		copy(back[4:8], tcp[8:12])
		back[13] = flagRST
	} else { // it wants to begin
		binary.BigEndian.PutUint32(back[8:], binary.BigEndian.Uint32(tcp[4:])+1)
		back[13] = flagRST | flagACK
	}
	binary.BigEndian.PutUint16(out[10:], checksum(0, out[:ipHeader]))
	pseudo := sum(protoTCP+tcpHeader, out[12:20])
	binary.BigEndian.PutUint16(back[16:], checksum(pseudo, back))
	return out
}

// checksum is that of RFC 1071.
func checksum(s uint32, b []byte) uint16 {
	s = sum(s, b)
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	return s
}
