package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Main runs f until it returns, with a context that ends with SIGINT or SIGTERM, and returns the exit code for os.Exit:
// 0, or 1 after one line on standard error that says what is wrong. A second signal ends the process at once.
// An error with a method ExitCode() int chooses its code; with code 0 its text goes to standard output (the answer to --help).
func Main(name string, f func(ctx context.Context) error) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals) // before anything is told to stop: from here on a signal has its default action
			cancel()
		case <-ctx.Done():
		}
	}()
	return report(name, f(ctx), os.Stdout, os.Stderr)
}

func report(name string, err error, out, problems io.Writer) int {
	if err == nil {
		return 0
	}
	var coded interface{ ExitCode() int }
	code := 1
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	if code == 0 {
		_, _ = fmt.Fprint(out, err.Error())
		return 0
	}
	_, _ = fmt.Fprintf(problems, "%s: %s\n", name, oneLine(err.Error()))
	return code
}

// oneLine joins the lines of joined errors.
func oneLine(s string) string {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
