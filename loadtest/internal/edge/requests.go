package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"plenum.internal/client"
)

// dialRequests is Dial by server-sent events or polls.
func dialRequests(ctx context.Context, cfg Config, dialer *net.Dialer, h Handler) (*Conn, error) {
	transport := &http.Transport{DialContext: dialer.DialContext, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10, MaxIdleConns: 2}
	requests, err := client.DialBy(cfg.Transport, &http.Client{Transport: transport})(ctx, cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Address, err)
	}
	c := &Conn{requests: requests, handler: h, done: make(chan struct{})}
	err = c.Send(cfg.hello()...)
	for err == nil && c.Welcome == nil {
		m, readErr := requests.Read(ctx)
		if err = readErr; err != nil || len(m.GetFrames()) == 0 { // a sign of life has no frames
			continue
		}
		rest, refused := c.welcomed(m)
		if err = refused; err == nil {
			go func() { // it lives as long as the connection, which Close ends
				defer transport.CloseIdleConnections()
				c.read(rest)
			}()
		}
	}
	if err != nil {
		return nil, errors.Join(err, requests.Close())
	}
	return c, nil
}

// readRequests is read behind the first message.
func (c *Conn) readRequests() {
	for {
		m, err := c.requests.Read(context.Background())
		if err != nil {
			c.end(err)
			return
		}
		c.frames(m.GetFrames())
	}
}
