package docs

import (
	linked "container/list"
	"context"
	"errors"
	"runtime/debug"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// session is one open document. A goroutine owns it, and does in order what is mailed to it.
//
// Invariant: version is ahead of stored.version by the amendments that are under way, which are committed in order or not at all: each is
// conditional on the one before it. When one fails the session ends, and what is true is read again.
type session struct {
	sessionID
	s      *Server
	turns  *turns // of those who mail
	mail   chan func()
	opened chan struct{} // closed when it is open, or failed to
	failed error         // set before opened is closed
	ended  chan struct{} // closed when nothing more is done
	gone   chan struct{} // closed when the document was given up, too, and another may be opened
	adrift chan struct{} // closed, by letGo, when this process has withdrawn: what is under way may hang, and others go on with the document

	// These are set before opened is closed.
	lease int64 // of this process, when it claimed the document
	term  uint64

	// Server.mu guards these.
	place *linked.Element // in Server.used; nil: it is not there
	heir  bool            // somebody waits for its room
	slow  bool            // somebody did, and it took long: it is being closed

	// All below belongs to the goroutine.
	epoch    uint64
	cover    document // as it is with all that is under way, but for times
	folder   string   // likewise; one that was deleted perhaps
	purged   bool     // likewise
	grants   grants
	members  memberships
	content  *ot.Document // with all that is under way; never changed, but replaced; others get clones, made here
	version  uint64       // of content
	stored   *ot.Document // what is committed; likewise
	storedAt uint64       // its version
	recent   recent
	underWay []*amendment   // in order
	waiting  map[string]int // how many of them are of whom
	broken   bool           // an amendment failed: nothing more is accepted
	leaving  bool           // it ends as soon as nothing is under way
	idle     bool           // since nobody uses it
	wanted   bool           // somebody has used it, and not jobs alone
	used     time.Time
	kept     map[uint64]kept
	threads  threads
	proposed suggestions
	awaited  map[mutation]chan struct{} // closed when the edit has come
	storedMs int64                      // when the event of storedAt was committed
	written  uint64                     // version of the newest snapshot
	tried    uint64                     // version of the newest that was to be one
	unsaved  unsaved                    // edits behind it
	due      *time.Timer                // for the next snapshot; stopped while nothing is unsaved
	writing  bool                       // a snapshot is being written
	grown    int                        // bytes of what was committed since it was begun
	watched  *watched                   // while somebody looks at who is in the document; nil: nobody does

	versions chan struct{} // held, by sending, by whoever changes which versions are written down
}

// errEnded is for callers within: the session did nothing, since it ends.
var errEnded = errors.New("docs: the session has ended")

// errAdrift is likewise: whether it did something is known by the next owner.
var errAdrift = errors.New("docs: the process has withdrawn")

const mailbox = 64

func newSession(s *Server, k docKey) *session {
	return &session{
		sessionID: sessionID{k, s.numbers.Add(1)}, s: s, turns: newSessionTurns(s.cfg.UnderWay), mail: make(chan func(), mailbox), opened: make(chan struct{}), ended: make(chan struct{}), gone: make(chan struct{}), adrift: make(chan struct{}),
		kept: map[uint64]kept{}, members: memberships{of: map[string]membership{}}, awaited: map[mutation]chan struct{}{}, waiting: map[string]int{},
		unsaved: unsaved{last: map[string]uint64{}}, versions: make(chan struct{}, 1),
	}
}

// run opens the document, works until it is left or lost, and closes it.
func (x *session) run() {
	defer close(x.gone)
	defer x.s.forget(x)
	ctx := x.s.working
	if x.failed = x.guarded(func() error { return x.open(ctx) }); x.failed != nil {
		close(x.opened)
		return
	}
	close(x.opened)
	x.work(ctx)
	close(x.ended)
	switch {
	case x.broken: // what is under way may come to nothing: it is left
	case x.purged:
		x.s.unnames(x.sessionID)
	default:
		x.safely(func() { x.close(context.WithoutCancel(ctx)) }) // or else it is left, too
	}
}

// work does what is mailed until the session ends.
func (x *session) work(ctx context.Context) {
	x.used = time.Now()
	idle := time.NewTimer(x.s.cfg.Idle)
	defer idle.Stop()
	x.due = time.NewTimer(x.unsaved.due(x.s.cfg.Version))
	defer x.due.Stop()
	done := ctx.Done()
	for !x.broken && !x.leaving || len(x.underWay) > 0 || x.writing {
		select {
		case f := <-x.mail:
			x.safely(f)
		case <-idle.C:
			if x.watched != nil && x.watched.lookers > 0 {
				x.used = time.Now()
			}
			left := time.Until(x.used.Add(x.s.cfg.Idle))
			x.idle = x.idle || left <= 0
			x.leaving = x.leaving || x.idle
			idle.Reset(max(left, time.Second))
		case <-x.due.C:
			x.safely(func() { x.snapshot(true) })
		case <-done:
			x.leaving, done = true, nil
		}
	}
}

// do has the goroutine do something, and waits for it. f may be called again, until all is known that it asks for (unread). errEnded: it was
// not done.
func (x *session) do(ctx context.Context, f func() error) error {
	ask := func() error {
		x.used, x.wanted = time.Now(), true
		return f()
	}
	for todo := ask; ; {
		err := x.inTurn(ctx, todo)
		u, ok := errors.AsType[*unread](err)
		if !ok {
			return err
		}
		read, err := x.s.memberships(ctx, x.workspace, u)
		if err != nil {
			return err
		}
		todo = func() error {
			x.members.take(u.life, read)
			return ask()
		}
	}
}

// inTurn has the goroutine do something once, when it is the caller's turn: whoever floods a document waits behind themselves.
func (x *session) inTurn(ctx context.Context, f func() error) error {
	done, err := x.turns.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	return x.once(ctx, f)
}

// once has the goroutine do something once, and waits for it.
func (x *session) once(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case x.mail <- func() {
		if x.broken || x.leaving {
			done <- errEnded
			return
		}
		done <- x.guarded(f)
	}:
	case <-x.ended:
		return errEnded
	case <-ctx.Done():
		return errAway.Because(ctx.Err())
	}
	select {
	case err := <-done:
		return err
	case <-x.ended:
	}
	select {
	case err := <-done: // both at once
		return err
	default:
		return errEnded
	}
}

// guarded turns a panic into the end of the session: what it had in memory can't be relied on any more, what is committed can. What is under way is
// settled all the same, and its authors are told what has become of it.
func (x *session) guarded(f func() error) error {
	before := len(x.underWay)
	err := x.s.guarded(x.docKey, f)
	if errors.Is(err, errBrokeDown) {
		x.broken = true
		if len(x.underWay) > before { // what it was about, and may be committed
			return errOutcome.Because(errBrokeDown)
		}
	}
	return err
}

// safely is guarded for what nobody waits for.
func (x *session) safely(f func()) { _ = x.guarded(func() error { f(); return nil }) }

// errBrokeDown is the cause of what is answered after a panic.
var errBrokeDown = errors.New("docs: it broke down")

// guarded turns a panic into an error: what is wrong with one document ends neither the process nor what is done with others.
func (s *Server) guarded(k docKey, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("something broke down at a document", "workspace", k.workspace, "document", k.id, "panic", p, "stack", string(debug.Stack()))
			err = errDamaged.Because(errBrokeDown)
		}
	}()
	return f()
}

// tell mails what must not be lost; nobody waits for it.
func (x *session) tell(f func()) {
	select {
	case x.mail <- f:
	case <-x.gone:
	}
}

// drift ends the session of a process that does not reach the database. Nobody waits for what is under way any more: whoever wants to know
// asks the next owner, with the same key. That may soon be another session here, whose claim the log commits or refuses behind all of this one's.
func (x *session) drift() {
	if x.s.letGo(x) {
		x.s.tasks.Go(func() { x.tell(func() { x.broken = true }) })
	}
}

func (x *session) isAdrift() bool {
	select {
	case <-x.adrift:
		return true
	default:
		return false
	}
}

// leave ends the session as soon as nothing is under way.
func (x *session) leave() { x.s.tasks.Go(func() { x.tell(func() { x.leaving = true }) }) }

// role is what a caller may do. What their containers give, which is editor at most, is looked at if they need more than they have without.
func (x *session) role(c auth.Caller, need docsv1.Role) (docsv1.Role, error) {
	r := x.grants.of[c.User].now()
	if c.Kind != auth.KindGuest {
		r = max(r, x.grants.of[everybody].now())
	}
	switch {
	case x.cover.trashed && r < owner || x.purged:
		return docsv1.Role_ROLE_UNSPECIFIED, nil
	case x.grants.containers == 0 || r >= min(need, editor):
		return r, nil
	}
	by, err := x.byContainers(c.User)
	return max(r, by), err
}

// allow says why a caller may not do what needs a role.
func (x *session) allow(c auth.Caller, need docsv1.Role) error {
	switch r, err := x.role(c, need); {
	case err != nil:
		return err
	case r < viewer:
		return errDocument
	case r < need:
		return errForbidden
	}
	return nil
}

// allowChange says why a caller may not change something.
func (x *session) allowChange(c auth.Caller, need docsv1.Role) error {
	if err := x.allow(c, need); err != nil {
		return err
	}
	if x.cover.trashed {
		return errTrashed
	}
	return nil
}

// room says that too much waits to be committed: of all, or of one person, who would keep the others out.
func (x *session) room(user string) error {
	if most := x.s.cfg.UnderWay; len(x.underWay) >= most || x.waiting[user] >= max(1, most/shares) || x.s.underWay.Load() > maxUnderWay {
		return errBusy
	}
	return nil
}

// shares: of what may wait to be committed in a document, one person may have one in so many.
const shares = 4

// amendment is an event that is under way.
type amendment struct {
	version uint64
	body    []byte       // of its event
	content *ot.Document // behind it
	author  string
	edit    bool // of the content
	delta   ot.Delta
	anchor  *anchor // of the thread that it makes
	by      string  // who else the edit is by; empty: nobody
	then    func()  // changes what is committed besides; nil: nothing does
	timeMs  int64   // when it was committed
	done    bool
	err     error
	settled chan struct{} // closed when it was committed, or will not be
}

// amend begins to commit an event, behind which the content is another one or, if that is nil, the same.
func (x *session) amend(m topic.Mutation, o *amend, edit ot.Delta, content *ot.Document) (*amendment, error) {
	o.docKey, o.term, o.head = x.docKey, x.term, x.version
	m.Workspace, m.Route, m.Op = x.workspace, x.id, o
	wait, err := x.s.log.Begin(m)
	if err != nil {
		return nil, err //nolint:wrapcheck // the log's own
	}
	x.version++
	if content != nil {
		x.content = content
	}
	a := &amendment{
		version: x.version, body: o.entry.Body, content: x.content, author: m.Key.User, edit: o.edit, delta: edit, anchor: o.anchor,
		by: o.credited, then: o.committed, settled: make(chan struct{}),
	}
	x.s.underWay.Add(int64(len(a.body)))
	x.underWay = append(x.underWay, a)
	x.waiting[a.author]++
	x.s.tasks.Go(func() { // first of all: whatever breaks down behind this, it is settled
		err := wait(context.Background(), nil) // bounded by the log's own times
		if err == nil && o.at != a.version {
			err = errRepeated // the log knows the key, from longer ago than is in memory: nothing was done now
		}
		a.timeMs = o.timeMs
		x.tell(func() { x.settle(a, err) })
	})
	x.recent.add(recentEdit{version: a.version, edit: edit, bytes: len(a.body), mutation: mutationOf(m.Key)})
	if came := x.awaited[mutationOf(m.Key)]; came != nil {
		close(came)
		delete(x.awaited, mutationOf(m.Key))
	}
	return a, nil
}

// settle takes over what was committed, in order. After a failure it waits for the others to fail, too.
//
// Invariant: whoever waits for what is under way is told, also where the session breaks down.
func (x *session) settle(a *amendment, err error) {
	a.done, a.err = true, err
	x.s.underWay.Add(-int64(len(a.body)))
	if err != nil && !x.broken {
		x.broken = true
		x.s.metrics.lost.Inc()
	}
	for len(x.underWay) > 0 && x.underWay[0].done {
		first := x.underWay[0]
		x.underWay = x.underWay[1:]
		if x.waiting[first.author]--; x.waiting[first.author] == 0 {
			delete(x.waiting, first.author)
		}
		if first.err == nil && !x.broken {
			x.safely(func() { x.takeOver(first) })
		}
		close(first.settled)
	}
	x.snapshot(false)
}

// takeOver makes what was committed the newest that is.
func (x *session) takeOver(a *amendment) {
	x.stored, x.storedAt, x.storedMs, x.grown = a.content, a.version, a.timeMs, x.grown+len(a.body)
	if a.edit {
		if x.unsaved.none() {
			x.due.Reset(x.s.cfg.Version)
		}
		x.unsaved.add(a.author, a.version, a.timeMs)
		x.unsaved.add(a.by, a.version, a.timeMs)
	}
	x.threads.anchors.follow(a.version, a.delta)
	if a.anchor != nil {
		x.threads.anchors.add(*a.anchor)
	}
	x.proposed.follow(a.version, a.delta)
	if a.then != nil {
		a.then()
	}
	if x.watched != nil {
		x.watch(a)
	}
}
