package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type sendCmd struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle; @handle,@handle for several people."`
	outgoing
}

type dmCmd struct {
	Who string `arg:"" help:"Handle, or several with commas between them." placeholder:"HANDLE"`
	outgoing
}

func (c *dmCmd) Run(e *env) error {
	who := strings.Split(c.Who, ",")
	for i := range who {
		who[i] = "@" + strings.TrimPrefix(who[i], "@")
	}
	return (&sendCmd{Channel: strings.Join(who, ","), outgoing: c.outgoing}).Run(e)
}

// outgoing is what is sent, and how.
type outgoing struct {
	Text  []string      `arg:"" optional:"" help:"The message, Markdown. Absent: the standard input, one message for all of it."`
	Reply uint64        `help:"Reply in the thread of this message (its number)." placeholder:"NUMBER"`
	Also  bool          `help:"Show the reply in the channel, too."`
	Lines bool          `help:"Each line of the standard input is a message."`
	Wait  time.Duration `help:"How long to wait for the server before the message stays queued." default:"10s"`
}

// maxText is a message's limit, in bytes.
const maxText = 16 << 10

func (c *sendCmd) Run(e *env) error {
	id, err := c.channel(e)
	if err != nil {
		return err
	}
	return e.session(true, nil, func(ctx context.Context, cl *client.Client, before []client.Pending) error {
		err := c.texts(e, func(text string) error { return c.send(ctx, e, cl, id, text) })
		for _, p := range before { // of earlier commands: nobody else hears of their end
			select {
			case <-p.Done():
				if refused := p.Wait(ctx, nil); refused != nil {
					fmt.Fprintf(e.err, "Refused: the message that waited since %s. %s\n", p.Since().Format(time.DateTime), explain(refused))
				}
			default:
			}
		}
		return err
	})
}

// channel finds the channel's id: at the server, or, offline, among those that were found before.
func (c *sendCmd) channel(e *env) (id string, err error) {
	err = e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		id, err = channelID(ctx, h, c.Channel)
		return err
	})
	if err == nil {
		return id, e.remember(c.Channel, id)
	}
	if known := e.remembered(c.Channel); offline(err) && known != "" {
		return known, nil
	}
	return "", err
}

// texts calls send with every message that is to be sent.
func (c *sendCmd) texts(e *env, send func(string) error) error {
	switch {
	case len(c.Text) > 0:
		return send(strings.Join(c.Text, " "))
	case c.Lines:
		lines := bufio.NewScanner(e.in)
		lines.Buffer(nil, maxText+1)
		for lines.Scan() {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			if err := send(lines.Text()); err != nil {
				return err
			}
		}
		return lines.Err()
	default:
		text, err := io.ReadAll(io.LimitReader(e.in, maxText+1))
		if err != nil {
			return err
		}
		return send(strings.TrimRight(string(text), "\n"))
	}
}

func (c *sendCmd) send(ctx context.Context, e *env, cl *client.Client, id, text string) error {
	pending, err := cl.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: id, Text: text, Root: c.Reply, AlsoInChannel: c.Also})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	var res chatv1.SendResponse
	err = pending.Wait(ctx, &res)
	if errors.Is(err, context.DeadlineExceeded) {
		if e := pending.Postponed(); e != nil {
			return fmt.Errorf("%s The message waits here, and goes out with the next send", explain(e))
		}
		return errors.New("the server did not answer: the message waits here, and goes out with the next send")
	}
	if err != nil {
		return err
	}
	return e.print(&res, "%d", res.GetOffset())
}

// offline reports whether a call failed because the server is away.
func offline(err error) bool {
	code := client.CodeOf(err)
	return code == edgev1.Code_CODE_UNAVAILABLE || code == edgev1.Code_CODE_OUTCOME_UNKNOWN
}

type historyCmd struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle; @handle,@handle for several people."`
	Limit   uint32 `short:"n" help:"How many messages, at most 100." default:"20"`
	Before  uint64 `help:"Older than this message." xor:"place" placeholder:"NUMBER"`
	After   uint64 `help:"Newer than this message." xor:"place" placeholder:"NUMBER"`
	At      string `help:"Around a time: 2026-01-31, 2026-01-31T15:04:05Z, or 90m for that long ago." xor:"place"`
	Thread  uint64 `help:"The replies of this message." placeholder:"NUMBER"`
}

func (c *historyCmd) Run(e *env) error {
	req := &chatv1.HistoryRequest{Limit: c.Limit, Root: c.Thread}
	switch {
	case c.Before > 0:
		req.Place = &chatv1.HistoryRequest_Before{Before: c.Before}
	case c.After > 0:
		req.Place = &chatv1.HistoryRequest_After{After: c.After}
	case c.At != "":
		at, err := parseTime(c.At)
		if err != nil {
			return err
		}
		req.Place = &chatv1.HistoryRequest_AtMs{AtMs: at.UnixMilli()}
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		_, err := e.history(ctx, h, c.Channel, req)
		return err
	})
}

// history prints messages and returns the channel's id and the cursor from which to follow.
func (e *env) history(ctx context.Context, h *client.HTTP, channel string, req *chatv1.HistoryRequest) (*place, error) {
	id, err := channelID(ctx, h, channel)
	if err != nil {
		return nil, err
	}
	req.Channel = id
	res, err := chatv1.NewChatServiceClient(h).History(ctx, req)
	if err != nil {
		return nil, err
	}
	p, err := e.messages(ctx, h, res.GetMessages())
	if err != nil {
		return nil, err
	}
	return &place{id, res.GetCursor(), p}, nil
}

// messages prints messages, and returns the people that it had to ask for.
func (e *env) messages(ctx context.Context, h *client.HTTP, messages []*chatv1.Message) (*people, error) {
	p, err := loadPeople(ctx, h)
	if err != nil {
		return nil, err
	}
	var authors []string
	for _, m := range messages {
		authors = append(authors, m.GetAuthor())
	}
	if err := p.learn(ctx, h, authors); err != nil {
		return nil, err
	}
	for _, m := range messages {
		if err := e.message(p, m); err != nil {
			return nil, err
		}
	}
	return p, nil
}

type place struct {
	channel string
	cursor  *edgev1.Cursor
	people  *people
}

func (e *env) message(p *people, m *chatv1.Message) error {
	text := cleanText(m.GetText())
	switch {
	case m.GetDeleted():
		text = "(deleted)"
	case m.GetSystem() != nil:
		text = "* " + system(p, m.GetSystem())
	}
	if m.GetEdits() > 0 && !m.GetDeleted() {
		text += " (edited)"
	}
	if m.GetPinned() {
		text += " (pinned)"
	}
	if m.GetRoot() > 0 {
		text = fmt.Sprintf("↳ %d  %s", m.GetRoot(), text)
	}
	var reactions []string
	for _, r := range m.GetReactions() {
		reactions = append(reactions, fmt.Sprintf("%s %d", clean(r.GetEmoji()), r.GetCount()))
	}
	if len(reactions) > 0 {
		text += "  [" + strings.Join(reactions, ", ") + "]"
	}
	if n := m.GetThread().GetReplies(); n > 0 && m.GetRoot() == 0 {
		text += fmt.Sprintf("  (%d replies)", n)
	}
	return e.print(m, "%5d  %s  %-16s %s", m.GetOffset(), time.UnixMilli(m.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(m.GetAuthor()), text)
}

func system(p *people, s *chatv1.System) string {
	switch c := s.GetChange().(type) {
	case *chatv1.System_Members:
		var parts []string
		for _, m := range c.Members.GetJoined() {
			parts = append(parts, p.handle(m.GetUser())+" joined")
		}
		for _, u := range c.Members.GetLeft() {
			parts = append(parts, p.handle(u)+" left")
		}
		for _, m := range c.Members.GetRoles() {
			parts = append(parts, p.handle(m.GetUser())+" has a new role")
		}
		return strings.Join(parts, ", ")
	case *chatv1.System_Channel:
		if c.Channel.GetCreated() {
			return "created the channel"
		}
		return "changed the channel: " + strings.Join(c.Channel.GetFields(), ", ")
	case *chatv1.System_Pin:
		if c.Pin.GetRemoved() {
			return fmt.Sprintf("unpinned %d", c.Pin.GetOffset())
		}
		return fmt.Sprintf("pinned %d", c.Pin.GetOffset())
	}
	return "changed something"
}

// parseDate reads a day, or a time of a day.
func parseDate(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseAhead reads for how long something is from now on, 90m or 7d, if it is more than nothing.
func parseAhead(text string) (time.Duration, bool) {
	if days, is := strings.CutSuffix(text, "d"); is {
		n, err := strconv.ParseUint(days, 10, 15) // not more than a time.Duration holds
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

func parseTime(text string) (time.Time, error) {
	if t, ok := parseDate(text); ok {
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31, 2026-01-31T15:04:05Z, or 90m for that long ago", text)
}
