package docs

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/mesh/sqldb"
)

// Jobs are what is to be done with documents at a time, without anybody asking: each process looks once a second for those that are due of
// the documents that are placed at it. They stand in SQL, so that none is forgotten; one may be done twice, or by two at a time.

// jobKind names a kind of jobs in docs_job.
type jobKind string

// job does what is due for a document, and says when it is to be done next; the zero time: not before it is asked for again. After an error it
// is done again a little later.
type job func(ctx context.Context, k docKey) (next time.Time, err error)

// lane is kinds of jobs that are done in the order in which they are due, and wait for those of no other lane.
type lane struct {
	kinds []jobKind
	share int           // how many of a workspace are begun before others' turn comes, however long they have been due; 0: all
	most  time.Duration // that one may take
}

const (
	jobGap     = time.Second      // between two looks for what is due
	jobPage    = 200              // of what is due is read at a time
	jobsAtOnce = 4                // are done, of a lane
	jobShare   = 50               // of a workspace, in a lane in which people wait
	jobTime    = time.Minute      // for one
	jobPause   = 10 * time.Second // after an error
)

// The lanes: nobody keeps access that they have lost, and nobody waits for what they are to be told, since something else takes long, or is due of
// many documents.
var (
	accessLane = lane{kinds: []jobKind{jobAccess, jobContainer}, share: jobShare, most: jobTime}
	sweepLane  = lane{kinds: []jobKind{jobSweep}, share: jobShare, most: jobTime}
	expiryLane = lane{kinds: []jobKind{jobExpiry}, share: jobShare, most: jobTime}
	newsLane   = lane{kinds: []jobKind{jobNews}, share: jobShare, most: jobTime}
	otherLane  = lane{kinds: []jobKind{jobThin, jobTrash, jobErase, jobHistory, jobFolder}, most: jobTime}
)

// lanes are all of them. Each kind is of one.
func lanes() []lane { return []lane{accessLane, sweepLane, expiryLane, newsLane, otherLane} }

const askAgain = `ON CONFLICT (workspace, document, kind) DO UPDATE SET asked = docs_job.asked + 1,
	due_ms = CASE WHEN docs_job.due_ms < excluded.due_ms THEN docs_job.due_ms ELSE excluded.due_ms END`

// setJob asks for a job of a document at a time. If it is asked for already, the earlier time counts.
func setJob(ctx context.Context, tx *sql.Tx, k docKey, kind jobKind, due time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO docs_job (workspace, document, kind, due_ms, asked) VALUES ($1, $2, $3, $4, 1) `+askAgain,
		k.workspace, k.id, string(kind), due.UnixMilli())
	if err != nil {
		return fmt.Errorf("docs: ask for a job: %w", err)
	}
	return nil
}

// jobID is whose a job is, and which.
type jobID struct {
	docKey
	kind jobKind
}

// dueJob is a row of docs_job.
type dueJob struct {
	jobID
	dueMs int64
	asked int64
}

// workJobs does what is due until ctx ends.
func (s *Server) workJobs(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, of := range lanes() {
		if w := s.newLaneWork(of); len(w.kinds) > 0 {
			wg.Go(func() { w.run(ctx) })
		}
	}
}

// laneWork does what is due of a lane.
type laneWork struct {
	*Server
	lane
	query  string
	served sqldb.Relation // workspaces that have had their share
	slots  errgroup.Group

	mu   sync.Mutex // guards all below
	busy map[jobID]bool
}

// newLaneWork leaves out the kinds that nobody here knows how to do: those of another version of this service, beside this one.
func (s *Server) newLaneWork(of lane) *laneWork {
	w := &laneWork{Server: s, lane: of, busy: map[jobID]bool{}}
	w.kinds = slices.DeleteFunc(slices.Clone(of.kinds), func(k jobKind) bool { return s.jobs[k] == nil })
	w.query, w.served = dueQuery(s.db.Dialect(), w.kinds)
	w.slots.SetLimit(jobsAtOnce)
	return w
}

// run looks for what is due until ctx ends, without waiting for the slowest of what it has begun.
func (w *laneWork) run(ctx context.Context) {
	defer w.slots.Wait() //nolint:errcheck // none returns one
	tick := time.NewTicker(jobGap)
	defer tick.Stop()
	for {
		more, err := w.look(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "could not look for what is due; tried again", "error", err)
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look begins what is due at a time, of the documents that are placed here. It says whether there may be more, of workspaces that have had their share.
func (w *laneWork) look(ctx context.Context, now time.Time) (more bool, err error) {
	begun, served := map[string]int{}, [][]any{}
	for behind := (dueJob{dueMs: -1}); ctx.Err() == nil; {
		busy := w.underWay() // before what is due is read: who has ended since was due by what is read
		list, err := w.due(ctx, now, behind, served)
		if err != nil {
			return false, err
		}
		for _, j := range list {
			if busy[j.jobID] || w.peers.Place(j.route()) != w.peers.Self() || w.share > 0 && begun[j.workspace] == w.share {
				continue
			}
			if begun[j.workspace]++; begun[j.workspace] == w.share {
				served = append(served, []any{j.workspace})
			}
			w.begin(ctx, j)
		}
		if len(list) < jobPage {
			break
		}
		behind = list[len(list)-1]
	}
	return len(served) > 0, nil
}

func (w *laneWork) underWay() map[jobID]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.busy)
}

// begin does a job as soon as one of the lane's places is free.
func (w *laneWork) begin(ctx context.Context, j dueJob) {
	set := func(busy bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if busy {
			w.busy[j.jobID] = true
		} else {
			delete(w.busy, j.jobID)
		}
	}
	set(true)
	w.slots.Go(func() error {
		defer set(false)
		w.doJob(ctx, j, w.most)
		return nil
	})
}

// dueQuery reads a page of what is due of some kinds, behind a row, without some workspaces: of each kind a page by its index, and of these the first.
func dueQuery(d sqldb.Dialect, kinds []jobKind) (text string, served sqldb.Relation) {
	served = sqldb.NewRelation(d, "ws text")
	p := func(i int) string { return fmt.Sprint(`$`, len(served.Args(nil))+i) }
	pages := make([]string, len(kinds))
	for i, kind := range kinds {
		pages[i] = fmt.Sprintf(`SELECT * FROM (SELECT workspace, document, kind, due_ms, asked FROM docs_job
			WHERE kind = '%s' AND due_ms <= %s AND (due_ms, workspace, document, kind) > (%s, %s, %s, %s) AND workspace NOT IN (SELECT k.ws FROM %s)
			ORDER BY due_ms, workspace, document LIMIT %s) x`, kind, p(1), p(2), p(3), p(4), p(5), served.SQL(), p(6))
	}
	return strings.Join(pages, ` UNION ALL `) + ` ORDER BY due_ms, workspace, document, kind LIMIT ` + p(6), served
}

// due reads a page of what is due, behind a row, without the workspaces that have had their share.
func (w *laneWork) due(ctx context.Context, now time.Time, behind dueJob, served [][]any) (list []dueJob, err error) {
	args := append(w.served.Args(served), now.UnixMilli(), behind.dueMs, behind.workspace, behind.id, string(behind.kind), jobPage)
	err = each(ctx, w.db.Query, w.query, args, func(r *sql.Rows) error {
		var j dueJob
		err := r.Scan(&j.workspace, &j.id, &j.kind, &j.dueMs, &j.asked)
		list = append(list, j)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("docs: read what is due: %w", err)
	}
	return list, nil
}

// doJob does one job, which may take some time, and writes down that it was done, unless it was asked for meanwhile.
func (s *Server) doJob(ctx context.Context, j dueJob, most time.Duration) {
	warn := func(err error) {
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "a job failed; tried again", "job", j.kind, "workspace", j.workspace, "document", j.id, "error", err)
		}
	}
	next, err := s.tryJob(ctx, j, most)
	if err != nil {
		warn(err)
		next = time.Now().Add(jobPause)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) { // not within the job's time: that may be over
		if next.IsZero() {
			_, err = tx.ExecContext(ctx, `DELETE FROM docs_job WHERE workspace = $1 AND document = $2 AND kind = $3 AND asked = $4`,
				j.workspace, j.id, string(j.kind), j.asked)
		} else {
			_, err = tx.ExecContext(ctx, `UPDATE docs_job SET due_ms = $5 WHERE workspace = $1 AND document = $2 AND kind = $3 AND asked = $4`,
				j.workspace, j.id, string(j.kind), j.asked, next.UnixMilli())
		}
		return err //nolint:wrapcheck // warn says what failed
	})
	if err != nil {
		warn(err)
	}
}

func (s *Server) tryJob(ctx context.Context, j dueJob, most time.Duration) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err = s.guarded(j.docKey, func() (err error) {
		next, err = s.jobs[j.kind](ctx, j.docKey)
		return err
	})
	return next, err
}
