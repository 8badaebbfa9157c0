package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type sendCmd struct {
	Channel string        `arg:"" help:"Name or id of the channel, or @handle."`
	Text    []string      `arg:"" optional:"" help:"The message, Markdown. Absent: the standard input, one message for all of it."`
	Reply   uint64        `help:"Reply in the thread of this message (its number)." placeholder:"NUMBER"`
	Lines   bool          `help:"Each line of the standard input is a message."`
	Wait    time.Duration `help:"How long to wait for the server before the message stays queued." default:"10s"`
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
	pending, err := cl.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: id, Text: text, Root: c.Reply})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	var res chatv1.SendResponse
	err = pending.Wait(ctx, &res)
	if errors.Is(err, context.DeadlineExceeded) {
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
	Channel string `arg:"" help:"Name or id of the channel, or @handle."`
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
	p, err := loadPeople(ctx, h)
	if err != nil {
		return nil, err
	}
	var authors []string
	for _, m := range res.GetMessages() {
		authors = append(authors, m.GetAuthor())
	}
	if err := p.learn(ctx, h, authors); err != nil {
		return nil, err
	}
	for _, m := range res.GetMessages() {
		if err := e.message(p, m); err != nil {
			return nil, err
		}
	}
	return &place{id, res.GetCursor(), p}, nil
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
	if m.GetEdits() > 0 {
		text += " (edited)"
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

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31, 2026-01-31T15:04:05Z, or 90m for that long ago", text)
}

type tailCmd struct {
	Channel string `arg:"" help:"Name or id of the channel, or @handle."`
	Follow  bool   `short:"f" help:"Go on with what comes, until Ctrl-C."`
	Since   string `help:"From this time on: a date, a time, or 90m for that long ago."`
	Limit   uint32 `short:"n" help:"How many messages to begin with, at most 100." default:"10"`
}

func (c *tailCmd) Run(e *env) error {
	req := &chatv1.HistoryRequest{Limit: c.Limit}
	var since time.Time
	if c.Since != "" {
		var err error
		if since, err = parseTime(c.Since); err != nil {
			return err
		}
	}
	var at *place
	err := e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if since.IsZero() {
			at, err = e.history(ctx, h, c.Channel, req)
			return err
		}
		at, err = e.since(ctx, h, c.Channel, since)
		return err
	})
	if err != nil || !c.Follow {
		return err
	}
	return e.session(false, func(cfg *client.Config) { cfg.Dependencies = client.ChatDependencies }, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		return e.follow(ctx, cl, at)
	})
}

// since prints all messages from a time on, page by page.
func (e *env) since(ctx context.Context, h *client.HTTP, channel string, since time.Time) (*place, error) {
	id, err := channelID(ctx, h, channel)
	if err != nil {
		return nil, err
	}
	p, err := loadPeople(ctx, h)
	if err != nil {
		return nil, err
	}
	req := &chatv1.HistoryRequest{Channel: id, Limit: 100, Place: &chatv1.HistoryRequest_AtMs{AtMs: since.UnixMilli()}}
	for {
		res, err := chatv1.NewChatServiceClient(h).History(ctx, req)
		if err != nil {
			return nil, err
		}
		last := uint64(0)
		for _, m := range res.GetMessages() {
			last = m.GetOffset()
			if m.GetTimeMs() < since.UnixMilli() {
				continue
			}
			if err := e.message(p, m); err != nil {
				return nil, err
			}
		}
		if !res.GetMoreAfter() || last == 0 {
			return &place{id, res.GetCursor(), p}, nil
		}
		req.Place = &chatv1.HistoryRequest_After{After: last}
	}
}

// follow prints what comes on a channel. After a reset it goes on from the newest message, and says so.
func (e *env) follow(ctx context.Context, cl *client.Client, at *place) error {
	sub, err := cl.Follow(ctx, "chat.channel/"+at.channel, client.From(at.cursor))
	if err != nil {
		return err
	}
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if u.Reset != nil {
			fmt.Fprintln(e.err, "Some messages can't be shown here; read them by: plenumctl history")
			res, err := chatv1.NewChatServiceClient(cl).History(ctx, &chatv1.HistoryRequest{Channel: at.channel, Limit: 1})
			if err != nil {
				return err
			}
			if err := sub.Resume(ctx, res.GetCursor()); err != nil {
				return err
			}
		}
		if at.people, err = at.people.knowing(ctx, cl, u.Events); err != nil {
			return err
		}
		for _, event := range u.Events {
			if err := e.event(at.people, event); err != nil {
				return err
			}
		}
	}
}

func (e *env) event(p *people, event *edgev1.Event) error {
	var c chatv1.ChannelEvent
	if err := proto.Unmarshal(event.GetBody(), &c); err != nil {
		return err
	}
	line := func(text string, args ...any) error {
		if e.JSON {
			return e.json(&c)
		}
		_, err := fmt.Fprintf(e.out, "       %s  %-16s * %s\n", time.UnixMilli(event.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(c.GetActor()), fmt.Sprintf(text, args...))
		return err
	}
	switch v := c.GetEvent().(type) {
	case *chatv1.ChannelEvent_Posted:
		m := v.Posted
		m.Offset, m.TimeMs = event.GetOffset(), event.GetTimeMs()
		if m.Author == "" {
			m.Author = c.GetActor()
		}
		return e.message(p, m)
	case *chatv1.ChannelEvent_Edited:
		return line("edited %d: %s", v.Edited.GetOffset(), cleanText(v.Edited.GetText()))
	case *chatv1.ChannelEvent_Deleted:
		return line("deleted %d", v.Deleted.GetOffset())
	case *chatv1.ChannelEvent_Reaction:
		if v.Reaction.GetRemoved() {
			return line("took %s from %d", clean(v.Reaction.GetEmoji()), v.Reaction.GetOffset())
		}
		return line("%s to %d", clean(v.Reaction.GetEmoji()), v.Reaction.GetOffset())
	case *chatv1.ChannelEvent_Members:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Members{Members: v.Members}}))
	case *chatv1.ChannelEvent_Channel:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Channel{Channel: v.Channel}}))
	case *chatv1.ChannelEvent_Pin:
		return line("%s", system(p, &chatv1.System{Change: &chatv1.System_Pin{Pin: v.Pin}}))
	}
	return nil // redacted, or newer than this program
}

type watchCmd struct {
	Topics []string `arg:"" optional:"" help:"Topics, like chat.channel/<id>; a bundle is followed by its heads." default:"chat.mine/me"`
}

func (c *watchCmd) Run(e *env) error {
	show := func(sent bool, frame any) {
		m, ok := frame.(proto.Message)
		if !ok {
			return
		}
		if f, ok := m.(*edgev1.ClientFrame); ok && (f.GetHello() != nil || f.GetRefresh() != nil) {
			m = proto.CloneOf(f) // the token and the client_id are secrets
			masked, _ := m.(*edgev1.ClientFrame)
			if h := masked.GetHello(); h != nil {
				h.Token, h.ClientId = "…", "…"
			} else {
				masked.GetRefresh().Token = "…"
			}
		}
		mark := "<"
		if sent {
			mark = ">"
		}
		data, err := oneLine(m)
		if err != nil {
			data = []byte(err.Error())
		}
		fmt.Fprintln(e.out, mark, string(data))
	}
	return e.session(false, func(cfg *client.Config) { cfg.Watch = show }, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		ends := make(chan error, len(c.Topics))
		for _, topic := range slices.Compact(slices.Sorted(slices.Values(c.Topics))) {
			var opts []client.FollowOption
			if strings.HasSuffix(topic, "/me") {
				opts = append(opts, client.HeadsOnly())
			}
			sub, err := cl.Follow(ctx, topic, opts...)
			if err != nil {
				return err
			}
			go func() {
				for {
					if _, err := sub.Next(ctx); err != nil {
						ends <- err
						return
					}
				}
			}()
		}
		return <-ends
	})
}
