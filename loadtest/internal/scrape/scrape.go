// Package scrape reads counters from the metrics pages of a server's processes.
package scrape

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	timeout  = 5 * time.Second // for one page
	pageMost = 16 << 20        // bytes
)

// Sum adds up a counter, whatever its labels, over all pages. A page that can't be read, or does not have it, is an error.
func Sum(ctx context.Context, pages []string, counter string) (float64, error) {
	sum := 0.0
	for _, page := range pages {
		v, err := read(ctx, page, counter)
		if err != nil {
			return 0, fmt.Errorf("metrics of %s: %w", page, err)
		}
		sum += v
	}
	return sum, nil
}

func read(ctx context.Context, page, counter string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, err //nolint:wrapcheck // Sum says where
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err //nolint:wrapcheck // Sum says where
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s", response.Status)
	}
	return parse(io.LimitReader(response.Body, pageMost), counter)
}

// parse reads Prometheus's text format.
func parse(page io.Reader, counter string) (sum float64, err error) {
	found := false
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), counter)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		sum, found = sum+v, true
	}
	switch err := lines.Err(); {
	case err != nil:
		return 0, err //nolint:wrapcheck // Sum says where
	case !found:
		return 0, fmt.Errorf("there is no %s", counter)
	}
	return sum, nil
}
