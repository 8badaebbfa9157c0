package space_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/faults/space"
)

// role tells the test program what to be, instead of the tests.
const role = "SPACE_TEST_ROLE"

const (
	patience = 20 * time.Second // for what must happen
	silence  = 300 * time.Millisecond
	exitCode = 7
	port     = "7000"
)

func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

func play(role string) (code int) {
	switch role {
	case "server":
		return serve()
	case "client":
		return obey()
	case "parent": // of a process that it leaves behind
		cmd := exec.Command("sleep", "600")
		cmd.Stdout = os.Stdout
		fatal(cmd.Start())
		return exitCode
	case "waiter":
		await()
		return 0
	case "failing waiter":
		await()
		return exitCode
	}
	fatal(errors.New("no such role: " + role))
	return 1
}

// await waits for a signal to end.
func await() {
	ctx, stop := untilSignal()
	defer stop()
	fmt.Println("up")
	<-ctx.Done()
}

// serve echoes lines, and prints what it got.
func serve() int {
	listener, err := net.Listen("tcp4", ":"+port)
	fatal(err)
	fmt.Println("up")
	for {
		c, err := listener.Accept()
		fatal(err)
		go func() {
			for lines := bufio.NewScanner(c); lines.Scan(); {
				fmt.Println(lines.Text())
				fmt.Fprintln(c, lines.Text())
			}
		}()
	}
}

// obey does what it reads, and answers each line with what came of it.
func obey() int {
	var c net.Conn
	fmt.Println("up")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		what, arg, _ := strings.Cut(lines.Text(), " ")
		answer, err := "done", error(nil)
		switch what {
		case "dial":
			c, err = net.DialTimeout("tcp4", arg+":"+port, patience)
		case "send":
			_, err = fmt.Fprintln(c, arg)
		case "receive":
			answer, err = receive(c, patience)
		case "listen":
			answer, err = receive(c, silence)
		}
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			answer = "reset"
		case errors.Is(err, syscall.ECONNREFUSED):
			answer = "refused"
		case errors.Is(err, os.ErrDeadlineExceeded):
			answer = "silence"
		case err != nil:
			answer = err.Error()
		}
		fmt.Println(answer)
	}
	return 0
}

func receive(c net.Conn, within time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n') // nobody sends more than a line at a time
	return strings.TrimSuffix(line, "\n"), err
}

// process is the test program in some role.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Scanner
}

// start starts a process in a network, and ends it with the test; it is killed if it takes too long.
func start(t *testing.T, n *space.Network, as string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), role+"="+as), os.Stderr
	theirs, in := pipe(t)
	out, theirOut := pipe(t)
	cmd.Stdin, cmd.Stdout = theirs, theirOut
	if err := n.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	_ = theirs.Close()
	_ = theirOut.Close()
	p := &process{t, cmd, in, bufio.NewScanner(out)}
	p.says("up")
	return p
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

// says checks the next line that the process prints.
func (p *process) says(want string) {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("it has ended, it should say %q", want)
	}
	if got := p.out.Text(); got != want {
		p.t.Fatalf("it says %q, want %q", got, want)
	}
}

// does tells a client what to do, and checks what comes of it.
func (p *process) does(what, want string) {
	p.t.Helper()
	if got := p.answer(what); got != want {
		p.t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

// answer tells a client what to do, and returns what comes of it.
func (p *process) answer(what string) string {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		p.t.Fatal(err)
	}
	if !p.out.Scan() {
		p.t.Fatalf("%s: it has ended", what)
	}
	return p.out.Text()
}
