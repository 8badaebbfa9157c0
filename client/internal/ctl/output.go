package ctl

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// print shows an answer: as JSON in one line, or as text for people.
func (e *env) print(m proto.Message, text string, args ...any) error {
	if e.JSON {
		return e.json(m)
	}
	_, err := fmt.Fprintln(e.out, strings.TrimRight(fmt.Sprintf(text, args...), " "))
	return err
}

func (e *env) json(m proto.Message) error {
	data, err := oneLine(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, string(data))
	return err
}

// oneLine is m as JSON, always spaced in the same way, which protojson does not promise.
func oneLine(m proto.Message) ([]byte, error) {
	data, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, data)
	return line.Bytes(), err
}

// clean makes what others wrote safe to show in a line: no control character reaches the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control):
			return '\uFFFD'
		}
		return r
	}, s)
}

// cleanText is clean for texts of several lines: all but the first are marked, so that none passes for another message.
func cleanText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n       | ")
}

// maxPassword bounds what is read.
const maxPassword = 4096

// password asks without echo, twice where it is new, or reads one line of the standard input.
func (e *env) password(fromStdin, fresh bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(io.LimitReader(e.in, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	if !term.IsTerminal(int(e.in.Fd())) {
		return "", errors.New("there is no terminal to ask for a password: use --password-stdin")
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(e.err, prompt)
		defer fmt.Fprintln(e.err)
		secret, err := term.ReadPassword(int(e.in.Fd()))
		return string(secret), err
	}
	secret, err := ask("Password: ")
	if err != nil || !fresh {
		return secret, err
	}
	repeated, err := ask("Once more: ")
	if err == nil && secret != repeated {
		err = errors.New("the two passwords differ")
	}
	return secret, err
}

// host names this machine for the list of devices.
func host() string {
	name, err := os.Hostname()
	if err != nil {
		return "command line"
	}
	return name
}
