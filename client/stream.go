package client

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// DialEvents returns a dialer for server-sent events: what the server says comes as one long answer, and calls go by polls. It follows 64
// topics with their events; what is more gets CODE_TOO_MANY_TOPICS.
func DialEvents(h *http.Client) Dialer {
	return dialCarrier(h, true, (*carrier).readStream)
}

// readStream listens by one stream.
func (c *carrier) readStream(r *round) error {
	// What accepts a request and then says nothing is no better than what refuses it.
	mute := time.AfterFunc(welcomeBy, func() {
		if r.ctx.Err() == nil {
			c.end(broken(errors.New("no Welcome came")))
		}
	})
	defer mute.Stop()
	body, err := c.post(r.ctx, EventsPath, r.message, true)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, base64.StdEncoding.EncodedLen(readLimit)+len(dataField))
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		switch text, isData := bytes.CutPrefix(line, []byte(dataField)); {
		case isData:
			data = append(data, text...) // one line in practice: a message is one value of base64
		case len(line) > 0 && line[0] == ':':
			c.pass() // a sign of life
		case len(line) == 0 && len(data) > 0:
			mute.Stop()
			m := new(edgev1.ServerMessage)
			raw, err := decodeBase64(string(bytes.TrimSpace(data)))
			if err == nil {
				err = proto.Unmarshal(raw, m)
			}
			if err != nil {
				return fmt.Errorf("read an event: %w", err)
			}
			data = data[:0]
			out, bye := c.take(r, m.GetFrames())
			c.pass(out...)
			if bye != nil {
				return fault(bye)
			}
		}
	}
	if r.over { // told in take, by this goroutine
		select {
		case <-time.After(r.next):
		case <-r.ctx.Done():
		}
		return nil
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

const dataField = "data:"
