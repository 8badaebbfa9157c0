package ctl

import (
	"context"
	"fmt"
	"time"
	"unicode/utf16"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

type docBlameCmd struct {
	docArg
	Version uint64 `help:"Of an earlier version, as history and watch show them." placeholder:"N"`
}

func (c *docBlameCmd) Run(e *env) error {
	return c.onDoc(e, false, func(ctx context.Context, h *client.HTTP, docs docsv1.DocsServiceClient, id string) error {
		whole, err := wholeBlame(ctx, docs, id, c.Version)
		if err != nil {
			return err
		}
		if e.JSON {
			return e.json(whole)
		}
		content, _, err := doc.Read(ctx, h, id, whole.GetVersion())
		if err != nil {
			return err
		}
		p, err := loadPeople(ctx, h)
		if err != nil {
			return err
		}
		units, from := utf16.Encode([]rune(plain(content))), 0
		for _, r := range whole.GetRanges() {
			to := min(from+int(r.GetLength()), len(units))
			at, who := "erased", ""
			if r.GetTimeMs() != 0 {
				at, who = time.UnixMilli(r.GetTimeMs()).Format("2006-01-02 15:04:05"), p.handle(r.GetUser())
			}
			where := span{uint32(from), uint32(to)}
			if _, err := fmt.Fprintf(e.out, "%-19s  %-16s at %s: %s\n", at, who, where, quoted(string(utf16.Decode(units[from:to])))); err != nil {
				return err
			}
			from = to
		}
		return nil
	})
}

// wholeBlame reads who wrote what of a version, 0: the newest, part by part.
func wholeBlame(ctx context.Context, docs docsv1.DocsServiceClient, id string, version uint64) (*docsv1.BlameResponse, error) {
	whole := &docsv1.BlameResponse{}
	for q := (&docsv1.BlameRequest{Document: id, Version: version}); ; {
		res, err := docs.Blame(ctx, q)
		if err != nil {
			return nil, err
		}
		whole.Version, whole.Ranges = res.GetVersion(), append(whole.GetRanges(), res.GetRanges()...)
		if !res.GetMore() || len(res.GetRanges()) == 0 {
			return whole, nil
		}
		q.Version = res.GetVersion()
		for _, r := range res.GetRanges() {
			q.After += r.GetLength()
		}
	}
}
