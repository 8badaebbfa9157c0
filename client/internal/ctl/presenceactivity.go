package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plenum.internal/client"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type presenceActivityCmd struct {
	Kind    string `arg:"" optional:"" help:"focused, writing, reviewing, meeting, chatting, break, travelling, or none any more. Absent: show what is told." enum:"focused,writing,reviewing,meeting,chatting,break,travelling,none," default:""`
	Subject string `help:"What it is about: letters, digits, blanks and -_.,'&()+#" placeholder:"TEXT"`
	For     string `help:"How long, like 90m or 7d, a year at most. Absent: until I say something else, or am offline." placeholder:"TIME"`
}

func (c *presenceActivityCmd) Run(e *env) error {
	until, err := parseFor(c.For)
	if err != nil {
		return err
	}
	if c.Kind == "" && (c.Subject != "" || until != 0) {
		return fmt.Errorf("say what you are doing, too: plenumctl presence activity writing --subject TEXT")
	}
	req := &presencev1.SetActivityRequest{Kind: presencev1.ActivityKind(presencev1.ActivityKind_value["ACTIVITY_KIND_"+strings.ToUpper(c.Kind)]), Subject: c.Subject, UntilMs: until} // none: 0
	return e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if req.User, err = self(ctx, h); err != nil {
			return err
		}
		presence := presencev1.NewPresenceServiceClient(h)
		if c.Kind == "" {
			res, err := presence.GetStatus(ctx, &presencev1.GetStatusRequest{User: req.GetUser()})
			if err != nil {
				return err
			}
			return e.print(res, "Others are told: %s", orNothing(does(res.GetStatus().GetActivity())))
		}
		res, err := presence.SetActivity(ctx, req)
		if err != nil {
			return err
		}
		return e.print(res, "You have said: %s", orNothing(does(&presencev1.Activity{Kind: req.GetKind(), Subject: req.GetSubject()})))
	})
}

func orNothing(what string) string {
	if what == "" {
		return "nothing"
	}
	return what
}

// does is what somebody is doing, in a few words; empty: nothing that is told.
func does(a *presencev1.Activity) string {
	if a.GetKind() == presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED {
		return ""
	}
	what := strings.ToLower(strings.TrimPrefix(a.GetKind().String(), "ACTIVITY_KIND_"))
	if a.GetSubject() != "" {
		what += ": " + clean(a.GetSubject())
	}
	if a.GetInferred() {
		what += fmt.Sprintf(", it seems (%d %%)", a.GetConfidence())
	}
	return what
}

type presenceActivitiesCmd struct {
	Clear bool `help:"Forget them, and what others see of me now."`
}

func (c *presenceActivitiesCmd) Run(e *env) error {
	return e.calls(func(ctx context.Context, h *client.HTTP) error {
		user, err := self(ctx, h)
		if err != nil {
			return err
		}
		presence := presencev1.NewPresenceServiceClient(h)
		if c.Clear {
			res, err := presence.ClearActivities(ctx, &presencev1.ClearActivitiesRequest{User: user})
			if err != nil {
				return err
			}
			return e.print(res, "What you have been doing is forgotten.")
		}
		res, err := presence.ListActivities(ctx, &presencev1.ListActivitiesRequest{User: user})
		if err != nil {
			return err
		}
		if e.JSON {
			return e.json(res)
		}
		for _, a := range res.GetActivities() {
			until := "now"
			if a.GetUntilMs() != 0 {
				until = time.UnixMilli(a.GetUntilMs()).Format(time.DateTime)
			}
			fmt.Fprintf(e.out, "%s  %-19s  %s\n", time.UnixMilli(a.GetActivity().GetSinceMs()).Format(time.DateTime), until, does(a.GetActivity()))
		}
		return nil
	})
}
