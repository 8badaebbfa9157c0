package bench

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// webBars are the bars of the web application. web/e2e holds tests to them, too.
//
//go:embed web.json
var webBars []byte

// webBar is one of them. ID is by what web/e2e tells its figure.
type webBar struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Better string  `json:"better"`
	Goal   float64 `json:"goal"`
}

// web are the bars of the web application in Chromium: figures of web/e2e/speed.spec.ts. It needs Node, and make's folder for the source.
func web() group {
	var bars []webBar
	if err := json.Unmarshal(webBars, &bars); err != nil {
		panic(err) // it is part of the program
	}
	g := group{name: "web", run: func(ctx context.Context, l *lab) ([]sample, error) { return l.browse(ctx, bars) }}
	for _, b := range bars {
		g.goals = append(g.goals, goal{b.Name, b.Unit, b.Better, b.Goal})
	}
	return g
}

// browse measures each of the bars once, in a browser.
func (l *lab) browse(ctx context.Context, bars []webBar) ([]sample, error) {
	for _, needed := range [][]string{
		{".ci/node"}, {".ci/web", "must"}, {".ci/chromium"},
		{"go", "build", "-o", l.dir + "/", "plenum.internal/deploy/cmd/plenum", "plenum.internal/client/cmd/plenumctl"}, // now with the application in it
	} {
		if err := l.tool(ctx, needed[0], needed[1:]...); err != nil {
			return nil, err
		}
	}
	figures := filepath.Join(l.dir, "figures")
	if err := os.Remove(figures); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("figures: %w", err)
	}
	if err := l.tool(ctx, "env", "FIGURES="+figures, "PLENUM_BIN="+l.dir, "npm", "--prefix", "web", "run", "e2e", "--", "speed.spec.ts"); err != nil {
		return nil, err
	}
	found, err := readFigures(figures)
	if err != nil {
		return nil, err
	}
	samples := make([]sample, len(bars))
	for i, b := range bars {
		value, ok := found[b.ID]
		if !ok {
			return nil, fmt.Errorf("web/e2e told no %q", b.ID)
		}
		samples[i].value = value
	}
	return samples, nil
}

// readFigures reads what web/e2e/figures.ts has written.
func readFigures(path string) (_ map[string]float64, err error) {
	f, err := os.Open(path) //nolint:gosec // in the lab's own folder
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	found := map[string]float64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var one struct {
			ID    string  `json:"id"`
			Value float64 `json:"value"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("figures: %w", err)
		}
		found[one.ID] = one.Value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	return found, nil
}
