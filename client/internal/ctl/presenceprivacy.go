package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plenum.internal/client"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type presencePrivacyCmd struct {
	Activity string `help:"on or off: what I do is inferred from the calls that I make, and told." enum:"on,off," default:""`
	Country  string `help:"on or off: the country that I connect from is told." enum:"on,off," default:""`
	LastSeen string `help:"on or off: in which hour I was here last is told, and kept." enum:"on,off," default:""`
}

func (c *presencePrivacyCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		user, err := self(ctx, h)
		if err != nil {
			return err
		}
		presence := presencev1.NewPresenceServiceClient(h)
		res, err := presence.GetPrivacy(ctx, &presencev1.GetPrivacyRequest{User: user})
		if err != nil {
			return err
		}
		p := res.GetPrivacy()
		if c.Activity != "" || c.Country != "" || c.LastSeen != "" {
			p = &presencev1.Privacy{
				InferActivity: choose(c.Activity, p.GetInferActivity()), Country: choose(c.Country, p.GetCountry()), HideLastSeen: !choose(c.LastSeen, !p.GetHideLastSeen()),
			}
			if _, err := presence.SetPrivacy(ctx, &presencev1.SetPrivacyRequest{User: user, Privacy: p}); err != nil {
				return err
			}
		}
		return e.print(&presencev1.GetPrivacyResponse{Privacy: p}, "activity   %s\ncountry    %s\nlast seen  %s", onOff(p.GetInferActivity()), onOff(p.GetCountry()), onOff(!p.GetHideLastSeen()))
	})
}

// choose is what a flag says, on or off; empty: as it was.
func choose(flag string, was bool) bool { return flag == "on" || flag == "" && was }

type presenceSeenCmd struct {
	People []string `arg:"" help:"Whom, by their handles." placeholder:"HANDLE"`
}

func (c *presenceSeenCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		users, err := p.ids(c.People)
		if err != nil {
			return err
		}
		res, err := presencev1.NewPresenceServiceClient(h).ListLastSeen(ctx, &presencev1.ListLastSeenRequest{Users: users})
		if err != nil {
			return err
		}
		if e.JSON {
			return e.json(res)
		}
		hours := map[string]int64{}
		for _, s := range res.GetSeen() {
			hours[s.GetUser()] = s.GetHourMs()
		}
		slices.SortFunc(users, func(a, b string) int { return strings.Compare(p.handle(a), p.handle(b)) })
		for _, user := range slices.Compact(users) {
			when := "not told"
			if ms, known := hours[user]; known {
				hour := time.UnixMilli(ms)
				when = fmt.Sprintf("%s, between %s and %s", hour.Format(time.DateOnly), hour.Format("15:04"), hour.Add(time.Hour).Format("15:04"))
			}
			fmt.Fprintf(e.out, "%-20s %s\n", p.handle(user), when)
		}
		return nil
	})
}
