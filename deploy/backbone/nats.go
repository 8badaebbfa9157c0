package backbone

import (
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTimeout limits the start of either server; both take well below a second.
const startTimeout = 20 * time.Second

// NATS is a server that only this process can reach: it listens nowhere. It satisfies nats.InProcessConnProvider.
type NATS struct{ *server.Server }

// StartNATS returns when the server takes connections.
func StartNATS() (*NATS, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "plenum",
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("NATS: not ready within %v", startTimeout)
	}
	return &NATS{s}, nil
}

// Close ends every connection and waits for the server to be gone.
func (n *NATS) Close() {
	n.Shutdown()
	n.WaitForShutdown()
}
