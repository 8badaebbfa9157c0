package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plenum.internal/client/doc/group"
	"plenum.internal/loadtest/internal/crowd"
	"plenum.internal/loadtest/internal/pace"
	"plenum.internal/loadtest/internal/run"
	"plenum.internal/loadtest/internal/scrape"
	"plenum.internal/loadtest/internal/setup"
)

// lengthMost is what a document can begin with in one call, with room for its JSON.
const lengthMost = 500_000

// Docs has people edit documents together.
type Docs struct {
	Documents int      `help:"Documents." default:"1"`
	Editors   int      `help:"Editors of each, with a connection each: -n is both, multiplied." default:"50"`
	Rate      float64  `help:"Edits a second of each editor, on average." default:"1"`
	To        float64  `help:"Edits a second of each in the end: the rate changes evenly from --rate on. Default: it stays." placeholder:"RATE"`
	Burst     int      `help:"Edits that somebody types in a row, on average, before a pause; 1: each comes by itself." default:"1"`
	Pace      float64  `help:"Edits a second in such a row." default:"5"`
	Length    int      `help:"Characters that each document begins with." default:"2000"`
	Cursors   bool     `help:"Each tells the others of its document where it types, ten times a second at most."`
	Churn     float64  `help:"Share of the editors whose connection breaks each second, and who come back."`
	Pages     []string `help:"Metrics pages of the document service, http://host:port/metrics, to tell what is open, and what it had to read again." name:"metrics" placeholder:"URL"`
}

// Connections is how many the scenario takes.
func (s *Docs) Connections() int { return s.Documents * s.Editors }

// Validate names the first flag that cannot be.
func (s *Docs) Validate() error {
	switch rate := max(s.Rate, s.To); {
	case s.Documents < 1 || s.Editors < 1:
		return errors.New("--documents and --editors must be at least 1")
	case !(s.Rate > 0) || !(s.To >= 0):
		return errors.New("--rate and --to must be positive")
	case s.Burst < 1 || !(s.Pace > 0):
		return errors.New("--burst must be at least 1, and --pace positive")
	case s.Burst > 1 && !(rate < s.Pace):
		return fmt.Errorf("with --burst people type faster than on average: --pace must be more than %g", rate)
	case s.Length < 0 || s.Length > lengthMost:
		return fmt.Errorf("--length must be 0 to %d", lengthMost)
	case s.Cursors && s.Editors < 2:
		return errors.New("--cursors needs --editors of at least 2: nobody else is there to be told")
	case !(s.Churn >= 0) || s.Churn > churnMost:
		return fmt.Errorf("--churn must be 0 to %g", churnMost)
	}
	return nil
}

// Run implements Scenario.
func (s *Docs) Run(ctx context.Context, r *run.Run) error {
	if s.Churn > 0 && !r.Reconnect {
		return errors.New("with --churn clients must --reconnect")
	}
	beginning := func(i int) string { return group.Beginning(r.Seed+uint64(i), s.Length) }
	docs, err := run.Documents(ctx, r, s.Documents, beginning)
	if err != nil {
		return err
	}
	r.Crowd = r.NewCrowd()
	writers, err := s.writers(r, docs, beginning)
	if err != nil {
		return err
	}
	if err := r.Connect(ctx); err != nil {
		return err
	}
	lost, err := s.page(ctx, r, lostDocuments)
	if err != nil {
		return err
	}
	err = r.Measure(ctx, func(ctx context.Context) error {
		churned := churn(ctx, r, s.Churn, len(writers), func(i int) { writers[i].Cut() })
		return errors.Join(s.write(ctx, r, writers), <-churned)
	})
	if err != nil {
		return err
	}
	if err := s.compare(ctx, r, docs, writers); err != nil {
		return err
	}
	return s.tell(ctx, r, lost)
}

// writer is an editor of the document with a number.
type writer struct {
	*crowd.Editor
	document int
}

// writers makes this process's part of the editors.
func (s *Docs) writers(r *run.Run, docs []setup.Document, beginning func(i int) string) ([]writer, error) {
	here := map[int]*crowd.Document{}
	all := make([]writer, r.Share(r.Connections))
	for i := range all {
		a, number := i%len(r.Accounts), r.Number(i)
		n := number % len(docs)
		if here[n] == nil {
			text, err := group.NewText(docs[n].Version, beginning(n))
			if err != nil {
				return nil, err //nolint:wrapcheck // says it all
			}
			here[n] = &crowd.Document{ID: docs[n].ID, Epoch: docs[n].Epoch, Text: text}
		}
		all[i] = writer{r.Crowd.AddEditor(r.Accounts[a], here[n], r.Seed+uint64(number), s.Cursors), n}
	}
	return all, nil
}

// write has them type until ctx ends.
func (s *Docs) write(ctx context.Context, r *run.Run, writers []writer) error {
	load := pace.Bursts{
		People: len(writers), PerSecond: s.Rate, To: s.To, Over: r.Warmup + r.Duration, Length: s.Burst, Pace: s.Pace, Seed: r.Seed + uint64(r.Peers.Index),
	}
	_, err := load.Run(ctx, func(i int, due time.Time) { writers[i].Type(due) })
	return err //nolint:wrapcheck // Measure does
}

// compare holds each editor's document to the server's.
func (s *Docs) compare(ctx context.Context, r *run.Run, docs []setup.Document, writers []writer) error {
	newest, err := run.Newest(ctx, r, docs)
	if err != nil {
		return err
	}
	for _, w := range writers {
		w.Compare(newest[w.document].Version, newest[w.document].Hash)
	}
	if r.Peers.Index == 0 {
		r.Figure("documents compared by hash", float64(len(newest)), "")
	}
	return nil
}

// Counters of the document service.
const (
	openDocuments = "plenum_docs_open"
	lostDocuments = "plenum_docs_lost_total"
)

// page reads one of them, in process 0.
func (s *Docs) page(ctx context.Context, r *run.Run, counter string) (float64, error) {
	if len(s.Pages) == 0 || r.Peers.Index > 0 {
		return 0, nil
	}
	return scrape.Sum(context.WithoutCancel(ctx), s.Pages, counter) //nolint:wrapcheck // names the page
}

// tell adds what the document service says of itself.
func (s *Docs) tell(ctx context.Context, r *run.Run, lost float64) error {
	if len(s.Pages) == 0 || r.Peers.Index > 0 {
		return nil
	}
	open, err := s.page(ctx, r, openDocuments)
	if err != nil {
		return err
	}
	now, err := s.page(ctx, r, lostDocuments)
	if err != nil {
		return err
	}
	r.Figure("documents open", open, "")
	r.Figure("documents that had to be read again", now-lost, "")
	return nil
}
