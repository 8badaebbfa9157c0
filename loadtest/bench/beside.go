package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"plenum.internal/loadtest/bench/control"
	"plenum.internal/loadtest/internal/account"
)

// beside is a control server, in this process, which has nothing else to do meanwhile.
type beside struct {
	target
	end   context.CancelFunc
	ended chan error
}

// control starts a control server with so many accounts.
func (l *lab) control(ctx context.Context, accounts int) (*beside, error) {
	t, err := l.newTarget()
	if err != nil {
		return nil, err
	}
	if err := account.Save(t.accounts, control.Accounts(accounts)); err != nil {
		return nil, err //nolint:wrapcheck // says it all
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a control server: %w", err)
	}
	t.address = "http://" + listener.Addr().String()
	ctx, end := context.WithCancel(ctx)
	b := &beside{t, end, make(chan error, 1)}
	go func() { b.ended <- control.New().Serve(ctx, listener) }()
	return b, nil
}

// stop ends the server and takes its folder away.
func (b *beside) stop() error {
	b.end()
	return errors.Join(<-b.ended, os.RemoveAll(b.data))
}
