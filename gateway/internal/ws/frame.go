package ws

import (
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// opcode says what a frame is (RFC 6455, 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

func (o opcode) control() bool { return o&8 != 0 }

const (
	finBit       = 0x80
	reservedBits = 0x70
	maskBit      = 0x80
	length16     = 126 // in place of a length: it follows in 16 bits
	length64     = 127
	maxControl   = 125 // bytes of a control frame
	maxHeader    = 10  // of a frame that isn't masked
)

// header is that of a client's frame.
type header struct {
	fin    bool
	op     opcode
	length int64
	key    uint32 // by which it is masked, the first byte lowest
}

// readHeader reads the header of a client's frame and finds out what is wrong with it for itself; what follows what is the reader's
// to know.
func readHeader(r io.ByteReader) (h header, err error) {
	next := func() (b byte) {
		if err == nil {
			b, err = r.ReadByte()
		}
		return b
	}
	first, second := next(), next()
	h.fin, h.op, h.length = first&finBit != 0, opcode(first&0x0f), int64(second&^maskBit)
	more := 0
	switch h.length {
	case length16:
		more = 2
	case length64:
		more = 8
	}
	for i := range more {
		if i == 0 {
			h.length = 0
		}
		h.length = h.length<<8 | int64(next())
	}
	if second&maskBit != 0 {
		for i := range 4 {
			h.key |= uint32(next()) << (8 * i)
		}
	}
	switch {
	case err != nil:
		return h, err
	case first&reservedBits != 0:
		return h, protocolError("a reserved bit is set")
	case second&maskBit == 0:
		return h, protocolError("a client's frame is not masked")
	case h.length < 0:
		return h, protocolError("a frame is longer than can be")
	case h.op.control() && (!h.fin || h.length > maxControl):
		return h, protocolError("a control frame is long, or in parts")
	}
	switch h.op {
	case opContinuation, opText, opBinary, opClose, opPing, opPong:
		return h, nil
	}
	return h, protocolError("a frame is of no known kind")
}

// appendHeader adds the header of a frame of ours.
func appendHeader(dst []byte, op opcode, length int) []byte {
	dst = append(dst, finBit|byte(op))
	switch {
	case length < length16:
		return append(dst, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, length16), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, length64), uint64(length))
}

// unmask applies the key to what begins a frame, or follows a part of it, and returns the key for what follows.
func unmask(b []byte, key uint32) uint32 {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key = key>>8 | key<<24
	}
	return key
}

// Codes of RFC 6455, 7.4.1, that are sent here; those of applications begin with 3000.
const (
	codeNormal   = 1000
	codeProtocol = 1002
	codeNone     = 1005 // stands for a close frame without a code, and is never sent
)

// readClose reads the body of a close frame.
func readClose(body []byte) (code int, err error) {
	if len(body) == 0 {
		return codeNone, nil
	}
	if len(body) == 1 {
		return 0, protocolError("a close frame has half a code")
	}
	code = int(binary.BigEndian.Uint16(body))
	known := code >= codeNormal && code <= 1014 && code != 1004 && code != codeNone && code != 1006
	if !known && (code < 3000 || code > 4999) || !utf8.Valid(body[2:]) {
		return 0, protocolError("a close frame has a code or reason that can't be")
	}
	return code, nil
}

// appendClose adds the body of a close frame, with as much of the reason as has room.
func appendClose(dst []byte, code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), reason[:min(len(reason), maxControl-2)]...)
}

// protocolError is what ends a connection with 1002.
type protocolError string

func (e protocolError) Error() string { return "ws: " + string(e) }
