package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Times of polls.
const (
	pollWait  = 25 * time.Second       // for news, before a poll is answered without: proxies cut what is silent for a minute
	pollEvery = 100 * time.Millisecond // of a busy topic: what happens meanwhile comes in one answer
)

// DialPolls returns a dialer for polls alone: each answer ends, so that it passes what holds back answers until they are whole. News come
// up to 100 ms later than over a stream. Its limit of topics is that of DialEvents.
func DialPolls(h *http.Client) Dialer {
	return dialCarrier(h, false, (*carrier).readPoll)
}

// readPoll listens by one poll. Its answer counts when it is there whole.
func (c *carrier) readPoll(r *round) error {
	wait := pollWait
	if r.urgent {
		wait = 0
	} else {
		c.mu.Lock()
		r.settled = true
		c.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(r.ctx, wait+welcomeBy)
	defer cancel()
	body, err := c.post(ctx, PollPath+"?wait="+strconv.FormatInt(wait.Milliseconds(), 10), r.message, true)
	if err != nil {
		return err
	}
	defer body.Close()
	var frames []*edgev1.ServerFrame
	if err := readFrames(body, func(f *edgev1.ServerFrame) { frames = append(frames, f) }); err != nil {
		return err
	}
	out, bye := c.take(r, frames)
	c.pass(out...)
	if bye != nil {
		return fault(bye)
	}
	if !r.urgent {
		select {
		case <-time.After(pollEvery - time.Since(r.begun)):
		case <-r.ctx.Done():
		}
	}
	return nil
}

// readFrames reads a poll's answer frame by frame, as it comes. At its end there is no error.
func readFrames(body io.Reader, each func(*edgev1.ServerFrame)) error {
	in := bufio.NewReader(body)
	for {
		tag, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(in)
		if number, kind := protowire.DecodeTag(tag); err == nil && (number != 1 || kind != protowire.BytesType || n > readLimit) {
			return errors.New("read an answer: it is no ServerMessage")
		}
		data := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(in, data)
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		f := new(edgev1.ServerFrame)
		if err := proto.Unmarshal(data, f); err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		each(f)
	}
}
