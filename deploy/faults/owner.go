package faults

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/topic"
)

// owners are the processes that documents are placed at.
func (l *lab) owners() []string {
	return slices.DeleteFunc(l.cluster.Names(), func(name string) bool { return !isOwner(name) })
}

func isOwner(name string) bool { return strings.HasPrefix(name, "docs-") }

// home is the process that a document is placed at, as the processes decide it (mesh/node Peers.Place).
func (l *lab) home(workspace, document string) string {
	var nodes []registry.Node
	for _, name := range l.owners() {
		nodes = append(nodes, registry.Node{ID: name})
	}
	return registry.Choose(nodes, topic.RouteKey(workspace, document)).ID
}

const (
	openMetric = "plenum_docs_open "
	askTime    = time.Second
)

// open is how many documents a process has open, as it tells its operator; 0 where it doesn't answer.
func (l *lab) open(ctx context.Context, name string) int {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.cluster.Operator(name)+"/metrics", nil)
	if err != nil {
		return 0
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), openMetric); ok {
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				return int(n)
			}
		}
	}
	return 0
}

// settled waits until each document is open where it is placed: from then on, whoever fails is known to be an owner or not.
func (l *lab) settled(ctx context.Context, homes map[string]int) error {
	for {
		var wrong []string
		for name, want := range homes {
			if got := l.open(ctx, name); got != want {
				wrong = append(wrong, fmt.Sprintf("%s has %d documents open, and %d are placed there", name, got, want))
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("faults: %s", strings.Join(wrong, ", "))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
