package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type presenceCmd struct {
	Who   presenceWhoCmd   `cmd:"" help:"Show who is here."`
	Watch presenceWatchCmd `cmd:"" help:"Show who is here, and who comes and goes."`
	Rooms presenceRoomsCmd `cmd:"" help:"Show how many members of channels are here, and who."`
	Set   presenceSetCmd   `cmd:"" help:"Choose what others see of me, whatever I do."`
	Mine  presenceMineCmd  `cmd:"" help:"Show what I have chosen, and what others see."`
}

// maxSeen is how many people one view shows.
const maxSeen = 500

type peopleArg struct {
	People []string `arg:"" optional:"" help:"Whom, by their handles. Absent: the first 500 of the workspace." placeholder:"HANDLE"`
}

// watchPeople tells show what a view of people holds, and what changes of it, until it returns true.
func (c *peopleArg) watchPeople(e *env, show func(p *people, v *edgev1.View) (enough bool, err error)) error {
	var p *people
	var users []string
	err := e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if p, err = loadPeople(ctx, h); err != nil {
			return err
		}
		if users, err = p.ids(c.People); err == nil && len(users) == 0 {
			for id := range p.byID {
				users = append(users, id)
			}
			slices.SortFunc(users, func(a, b string) int { return strings.Compare(p.byID[a], p.byID[b]) })
			users = users[:min(len(users), maxSeen)]
		}
		return err
	})
	if err != nil {
		return err
	}
	params, err := proto.Marshal(&presencev1.People{Users: users})
	if err != nil {
		return err
	}
	return e.session(false, nil, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		sub, err := cl.Follow(ctx, "presence.people/me", client.WithParams(params))
		if err != nil {
			return err
		}
		for {
			u, err := sub.Next(ctx)
			if err != nil {
				return err
			}
			if u.View == nil {
				continue
			}
			if enough, err := show(p, u.View); err != nil || enough {
				return err
			}
		}
	})
}

type presenceWhoCmd struct{ peopleArg }

func (c *presenceWhoCmd) Run(e *env) error {
	held := map[string]*edgev1.Entry{}
	return c.watchPeople(e, func(p *people, v *edgev1.View) (bool, error) {
		for _, entry := range v.GetEntries() {
			held[entry.GetKey()] = entry
		}
		if v.GetMore() || v.GetAt() == nil {
			return false, nil
		}
		var all []*edgev1.Entry
		for _, entry := range held {
			all = append(all, entry)
		}
		return true, e.seen(p, all)
	})
}

type presenceWatchCmd struct{ peopleArg }

func (c *presenceWatchCmd) Run(e *env) error {
	return c.watchPeople(e, func(p *people, v *edgev1.View) (bool, error) {
		if v.GetStale() {
			fmt.Fprintln(e.err, "Who is here can't be asked just now: what was shown may be old.")
		}
		return false, e.seen(p, v.GetEntries())
	})
}

// seen prints what is seen of people, by their handles.
func (e *env) seen(p *people, entries []*edgev1.Entry) error {
	slices.SortFunc(entries, func(a, b *edgev1.Entry) int { return strings.Compare(p.handle(a.GetKey()), p.handle(b.GetKey())) })
	for _, entry := range entries {
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
			return err
		}
		if e.JSON {
			line, err := oneLine(entry)
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, string(unfold(line, "body", entry.GetBody(), "plenum.presence.v1.Entry")))
			continue
		}
		e.seenAs(p, entry.GetKey(), m)
	}
	return nil
}

// seenAs prints what is seen of somebody, or of all who are shown.
func (e *env) seenAs(p *people, key string, m *presencev1.Entry) {
	switch {
	case m.GetAsOfMs() != 0:
		fmt.Fprintf(e.out, "What is shown is of %s.\n", time.UnixMilli(m.GetAsOfMs()).Format(time.DateTime))
	case m.GetStatus() != nil:
		text := fmt.Sprintf("%-20s %-14s %s", p.handle(key), stateWord(m.GetStatus().GetState()), says(m.GetStatus()))
		if m.GetLooking() {
			text += "  looking"
		}
		fmt.Fprintln(e.out, strings.TrimRight(text, " "))
	}
}

// stateWords are how states are written.
var stateWords = map[presencev1.State]string{
	presencev1.State_STATE_UNSPECIFIED: "unknown", presencev1.State_STATE_OFFLINE: "offline", presencev1.State_STATE_ONLINE: "online", presencev1.State_STATE_AWAY: "away",
	presencev1.State_STATE_BUSY: "busy", presencev1.State_STATE_DO_NOT_DISTURB: "dnd", presencev1.State_STATE_INVISIBLE: "invisible",
}

func stateWord(s presencev1.State) string {
	if word, ok := stateWords[s]; ok {
		return word
	}
	return fmt.Sprint(int32(s))
}

// says is where somebody is, and what they say of themselves.
func says(s *presencev1.Status) string {
	var words []string
	for _, d := range s.GetDevices() {
		words = append(words, strings.ToLower(strings.TrimPrefix(d.String(), "DEVICE_")))
	}
	text := strings.Join(words, ", ")
	if custom := clean(strings.TrimSpace(s.GetCustom().GetEmoji() + " " + s.GetCustom().GetText())); custom != "" {
		text = strings.TrimSpace(text + "  " + custom)
	}
	return text
}

type presenceSetCmd struct {
	State string        `arg:"" help:"auto, away, busy, dnd or invisible; auto: as I do." enum:"auto,away,busy,dnd,invisible"`
	Emoji string        `help:"An emoji to show." placeholder:"EMOJI"`
	Text  string        `help:"A line to show." placeholder:"TEXT"`
	For   time.Duration `help:"How long, like 90m. Absent: until I choose again." placeholder:"TIME"`
}

func (c *presenceSetCmd) Run(e *env) error {
	req := &presencev1.SetStatusRequest{}
	for state, word := range stateWords {
		if word == c.State {
			req.State = state
		}
	}
	if c.Emoji != "" || c.Text != "" {
		req.Custom = &presencev1.Custom{Emoji: c.Emoji, Text: c.Text}
	}
	if c.For < 0 {
		return fmt.Errorf("--for %v: name a time from now on", c.For)
	}
	if c.For > 0 {
		req.UntilMs = time.Now().Add(c.For).UnixMilli()
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if req.User, err = self(ctx, h); err != nil {
			return err
		}
		res, err := presencev1.NewPresenceServiceClient(h).SetStatus(ctx, req)
		if err != nil {
			return err
		}
		if c.State == "auto" {
			return e.print(res, "Others see what you do now.")
		}
		return e.print(res, "Others see you as %s now.", c.State)
	})
}

type presenceMineCmd struct{}

func (c *presenceMineCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		user, err := self(ctx, h)
		if err != nil {
			return err
		}
		res, err := presencev1.NewPresenceServiceClient(h).GetStatus(ctx, &presencev1.GetStatusRequest{User: user})
		if err != nil {
			return err
		}
		chosen := strings.Replace(stateWord(res.GetChosen()), "unknown", "auto", 1)
		if custom := says(&presencev1.Status{Custom: res.GetCustom()}); custom != "" {
			chosen += "  " + custom
		}
		if res.GetUntilMs() != 0 {
			chosen += "  until " + time.UnixMilli(res.GetUntilMs()).Format(time.DateTime)
		}
		return e.print(res, "chosen  %s\nseen    %s  %s", chosen, stateWord(res.GetStatus().GetState()), says(res.GetStatus()))
	})
}

// self is the caller's id.
func self(ctx context.Context, h *client.HTTP) (string, error) {
	res, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
	return res.GetPerson().GetId(), err
}
