package ctl

import (
	"context"
	"fmt"
	"io"
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
	Who   presenceWhoCmd   `cmd:"" help:"Show who is here. To look makes nobody see me as here."`
	Watch presenceWatchCmd `cmd:"" help:"Show who is here, and who comes and goes, without being seen as here for it."`
	Rooms presenceRoomsCmd `cmd:"" help:"Show how many members of channels are here, and who, without being seen as here for it."`
	Set   presenceSetCmd   `cmd:"" help:"Choose what others see of me, whatever I do. It replaces all that I chose before: the state, the emoji, the text and when they end."`
	Mine  presenceMineCmd  `cmd:"" help:"Show what I have chosen, and what others see."`

	Activity   presenceActivityCmd   `cmd:"" help:"Say what I am doing, or show what is told of it."`
	Activities presenceActivitiesCmd `cmd:"" help:"Show what I have been doing, as nobody else can, or forget it."`
	Privacy    presencePrivacyCmd    `cmd:"" help:"Show what is told of me besides, and kept, or decide it."`
	Seen       presenceSeenCmd       `cmd:"" help:"Show in which hour people were here last."`
	Stats      presenceStatsCmd      `cmd:"" help:"Show how the workspace is present, without telling of anybody."`
}

// maxSeen is how many people one view shows.
const maxSeen = 500

type peopleArg struct {
	People []string `arg:"" optional:"" help:"Whom, by their handles. Absent: the first 500 of the workspace." placeholder:"HANDLE"`
}

// watchPeople tells show what a view of people holds, and what changes of it, until it returns true.
func (c *peopleArg) watchPeople(e *env, show func(p *people, changed []*edgev1.Entry) (enough bool, err error)) error {
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
	return e.session(false, unseen, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		sub, err := cl.Follow(ctx, "presence.people/me", client.WithParams(params))
		if err != nil {
			return err
		}
		for v := (&viewOfPeople{held: map[string]bool{}}); ; {
			u, err := sub.Next(ctx)
			if err != nil {
				return err
			}
			if u.View == nil {
				continue
			}
			changed, whole := v.take(u.View, e.err)
			if !whole {
				continue
			}
			if enough, err := show(p, changed); err != nil || enough {
				return err
			}
		}
	})
}

// viewOfPeople is what is known of a view.
type viewOfPeople struct {
	held    map[string]bool // its keys
	anew    bool            // the update that has begun is a snapshot
	changed []*edgev1.Entry // by that update
	stale   bool
}

// take returns what an update has changed, when it has come whole. What a snapshot holds no more is removed. It tells log when people can't be asked
// for, and when they can again.
func (v *viewOfPeople) take(u *edgev1.View, log io.Writer) (changed []*edgev1.Entry, whole bool) {
	switch {
	case u.GetStale() && !v.stale:
		fmt.Fprintln(log, "Who is here can't be asked just now: what was shown may be old.")
	case !u.GetStale() && v.stale:
		fmt.Fprintln(log, "Who is here can be asked again.")
	}
	v.stale = u.GetStale()
	if u.GetSnapshot() {
		v.anew, v.changed = true, nil
	}
	v.changed = append(v.changed, u.GetEntries()...)
	if u.GetMore() || u.GetAt() == nil {
		return nil, false
	}
	was := v.held
	if v.anew {
		v.held = map[string]bool{}
	}
	for _, entry := range v.changed {
		if !entry.GetRemoved() {
			v.held[entry.GetKey()] = true
			changed = append(changed, entry)
		} else if was[entry.GetKey()] {
			delete(v.held, entry.GetKey())
			changed = append(changed, entry)
		}
	}
	if v.anew {
		for key := range was {
			if !v.held[key] {
				changed = append(changed, &edgev1.Entry{Key: key, Removed: true})
			}
		}
	}
	v.anew, v.changed = false, nil
	return changed, true
}

type presenceWhoCmd struct{ peopleArg }

func (c *presenceWhoCmd) Run(e *env) error {
	return c.watchPeople(e, func(p *people, all []*edgev1.Entry) (bool, error) { return true, e.seen(p, all) })
}

type presenceWatchCmd struct{ peopleArg }

func (c *presenceWatchCmd) Run(e *env) error {
	return c.watchPeople(e, func(p *people, changed []*edgev1.Entry) (bool, error) { return false, e.seen(p, changed) })
}

// seen prints what is seen of people, by their handles.
func (e *env) seen(p *people, entries []*edgev1.Entry) error {
	slices.SortFunc(entries, func(a, b *edgev1.Entry) int { return strings.Compare(p.handle(a.GetKey()), p.handle(b.GetKey())) })
	for _, entry := range entries {
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
			return err
		}
		switch {
		case e.JSON:
			line, err := oneLine(entry)
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, string(unfold(line, "body", entry.GetBody(), "plenum.presence.v1.Entry")))
		case entry.GetRemoved() && entry.GetKey() == "~":
			fmt.Fprintln(e.out, "What is shown is true again.")
		case entry.GetRemoved():
			fmt.Fprintf(e.out, "%-20s not to be seen any more\n", p.handle(entry.GetKey()))
		default:
			e.seenAs(p, entry.GetKey(), m)
		}
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
		if ms := m.GetStatus().GetAsOfMs(); ms != 0 {
			text += "since " + time.UnixMilli(ms).Format(time.DateTime)
		}
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

// says is where somebody is, what they say of themselves, and what they are doing.
func says(s *presencev1.Status) string {
	var words []string
	for _, d := range s.GetDevices() {
		words = append(words, strings.ToLower(strings.TrimPrefix(d.String(), "DEVICE_")))
	}
	if s.GetCountry() != "" {
		words = append(words, clean(s.GetCountry()))
	}
	text := strings.Join(words, ", ")
	if custom := clean(strings.TrimSpace(s.GetCustom().GetEmoji() + " " + s.GetCustom().GetText())); custom != "" {
		text = strings.TrimSpace(text + "  " + custom)
	}
	if what := does(s.GetActivity()); what != "" {
		text = strings.TrimSpace(text + "  " + what)
	}
	return text
}

type presenceSetCmd struct {
	State string `arg:"" help:"auto, away, busy, dnd or invisible. auto: as I do. invisible: others see me leave, within 45 s, or what presence.grace is here." enum:"auto,away,busy,dnd,invisible"`
	Emoji string `help:"An emoji to show. Absent: none any more." placeholder:"EMOJI"`
	Text  string `help:"A line to show. Absent: none any more." placeholder:"TEXT"`
	For   string `help:"How long, like 90m or 7d, a year at most. Absent: until I choose again." placeholder:"TIME"`
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
	var err error
	if req.UntilMs, err = parseFor(c.For); err != nil {
		return err
	}
	return e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if req.User, err = self(ctx, h); err != nil {
			return err
		}
		presence := presencev1.NewPresenceServiceClient(h)
		res, err := presence.SetStatus(ctx, req)
		if err != nil {
			return err
		}
		mine, err := presence.GetStatus(ctx, &presencev1.GetStatusRequest{User: req.GetUser()})
		if err != nil { // it is chosen nevertheless
			mine = &presencev1.GetStatusResponse{Chosen: req.GetState()}
		}
		if why := notSeen(mine); why != "" {
			return e.print(res, "You have chosen %s. %s", c.State, why)
		}
		switch c.State {
		case "auto":
			return e.print(res, "Others see what you do now.")
		case "invisible":
			return e.print(res, "Others see you as offline.")
		}
		return e.print(res, "Others see you as %s now.", c.State)
	})
}

// parseFor reads when something ends, in Unix milliseconds, by how long it is from now on; nothing: it doesn't.
func parseFor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	d, ok := parseAhead(text)
	if !ok {
		return 0, fmt.Errorf("--for %s: write how long from now on, like 90m or 7d; what is to have no end goes without --for", text)
	}
	return time.Now().Add(d).UnixMilli(), nil
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
		seen := strings.TrimRight(stateWord(res.GetStatus().GetState())+"  "+says(res.GetStatus()), " ")
		if why := notSeen(res); why != "" {
			seen += "\n" + why
		}
		return e.print(res, "chosen  %s\nseen    %s", chosen, seen)
	})
}

// notSeen says why others don't see somebody as they have chosen; empty: they do, as far as is known.
func notSeen(m *presencev1.GetStatusResponse) string {
	chosen, seen := m.GetChosen(), m.GetStatus().GetState()
	hidden := chosen == presencev1.State_STATE_INVISIBLE
	switch {
	case m.GetAsOfMs() != 0:
		return fmt.Sprintf("What others see is of %s, and may have changed: ask again by plenumctl presence mine.", time.UnixMilli(m.GetAsOfMs()).Format(time.DateTime))
	case seen == presencev1.State_STATE_UNSPECIFIED:
		return "What others see is not known at this moment: ask again by plenumctl presence mine."
	case hidden && seen != presencev1.State_STATE_OFFLINE:
		return fmt.Sprintf("Others still see you as %s; within 45 s, or what presence.grace is here, they see you leave, as anybody who closes their client.", stateWord(seen))
	case !hidden && chosen != presencev1.State_STATE_UNSPECIFIED && seen == presencev1.State_STATE_OFFLINE:
		return "Others see you as offline, since you are not here: they see it when you connect."
	}
	return ""
}

// self is the caller's id.
func self(ctx context.Context, h *client.HTTP) (string, error) {
	res, err := identityv1.NewPeopleServiceClient(h).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
	return res.GetPerson().GetId(), err
}
