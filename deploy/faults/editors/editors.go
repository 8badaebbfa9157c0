package editors

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	rnd "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/versions"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Config of the editors.
type Config struct {
	check.Doors

	Secret    string        // of a set-up: they have a workspace of their own
	Documents int           // 1 to 12; as many people, but three at least, have a program each, with three of them open
	Pause     time.Duration // of a program between two operations, at least 20 ms
	Seed      uint64        // of who does what
	Patience  time.Duration // how long anything may take where nothing fails, and after all has healed
	// Home is the process that a document is placed at; Homes are these processes. Each gets its share of the documents.
	Home  func(workspace, document string) string
	Homes []string
}

// DefaultConfig is as much as two cores bear beside a crowd.
func DefaultConfig() Config {
	return Config{Doors: check.Doors{Transport: check.Mix}, Documents: 6, Pause: 300 * time.Millisecond, Patience: 90 * time.Second}
}

// Validate keeps the load within bounds.
func (c Config) Validate() error {
	if err := c.Doors.Validate(); err != nil {
		return fmt.Errorf("editors: %w", err)
	}
	switch {
	case c.Documents < 1 || c.Documents > 12:
		return fmt.Errorf("editors: %d documents: take 1 to 12", c.Documents)
	case c.Pause < 20*time.Millisecond:
		return fmt.Errorf("editors: a pause of %v: take 20ms or more", c.Pause)
	case c.Patience <= 0:
		return errors.New("editors: the patience must be positive")
	}
	return nil
}

// each is how many documents a program has open, and in how many programs each document is.
const each = 3

// Editors are people who write documents.
type Editors struct {
	cfg       Config
	slug      string
	people    []*check.Person
	password  string
	documents []*document
	byID      map[string]*document // complete before anybody works
	programs  []*program
	windows   []*window
	auditors  []*check.Auditor
	records   []*record                 // of programs, then of windows: a client is a place here
	origin    atomic.Pointer[time.Time] // of the history's times
	settled   atomic.Int64              // requests

	mu       sync.Mutex
	troubles [][]string // by client; guarded by mu
}

// document is one of theirs.
type document struct {
	id, home string
	base     uint64
	epoch    uint64
	head     atomic.Uint64 // the newest version that somebody was told of

	// As far as they were read; of who audits.
	log  []versions.Event
	ways map[string][]versions.Stamp

	mu       sync.Mutex // guards all below
	edits    []versions.Edit
	contents []versions.Content
	pulses   []versions.Pulse
	threads  []uint64
}

func (d *document) change(do func(*document)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do(d)
}

// reached notes that a version is there.
func (d *document) reached(version uint64) {
	for {
		head := d.head.Load()
		if head >= version || d.head.CompareAndSwap(head, version) {
			return
		}
	}
}

// saw notes what somebody saw.
func (d *document) saw(c versions.Content) {
	d.change(func(d *document) { d.contents = append(d.contents, c) })
}

// typed notes an edit, and returns its place.
func (d *document) typed(e versions.Edit) (place int) {
	d.change(func(d *document) {
		place = len(d.edits)
		d.edits = append(d.edits, e)
	})
	return place
}

// Gather makes the workspace with its people and documents, and returns when every program shows its documents.
func Gather(ctx context.Context, cfg Config) (_ *Editors, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Secret == "" || len(cfg.Gateways) == 0 || len(cfg.Homes) == 0 {
		return nil, errors.New("editors: they need a set-up secret, the address of a gateway, and to know where documents are placed")
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Patience)
	defer cancel()
	now := time.Now()
	e := &Editors{cfg: cfg, slug: "editors-" + strings.ToLower(rand.Text()[:10]), password: rand.Text(), byID: map[string]*document{}}
	e.origin.Store(&now)
	defer func() {
		if err != nil {
			e.Close()
			err = fmt.Errorf("editors: %w", err)
		}
	}()
	if err := e.hire(ctx); err != nil {
		return nil, err
	}
	if err := e.write(ctx); err != nil {
		return nil, err
	}
	if err := e.start(ctx); err != nil {
		return nil, err
	}
	e.auditors = cfg.Audit(func(i int) check.Way { return check.SignIn(e.slug, e.people[i%len(e.people)].Handle, e.password) })
	return e, nil
}

// hire brings in the people, each with a window.
func (e *Editors) hire(ctx context.Context) error {
	n := max(each, e.cfg.Documents)
	for i := range 2 * n { // programs, then windows
		e.records = append(e.records, e.newRecord(i))
	}
	e.troubles = make([][]string, 2*n)
	for i := range n {
		handle := fmt.Sprintf("editor%d", i)
		way := check.SetUp(e.cfg.Secret, e.slug, handle, e.password)
		if i > 0 {
			admin := identityv1.NewAdminServiceClient(e.people[0].Client)
			invitation, err := admin.Invite(ctx, &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER})
			if err != nil {
				return fmt.Errorf("invite: %w", err)
			}
			way = check.Join(invitation.GetSecret(), handle, e.password)
		}
		door := e.cfg.Door(i)
		record := e.records[n+i]
		var watch atomic.Pointer[func(bool, any)] // once the client_id is known: before, nothing is sent that counts
		door.Watch = func(sent bool, frame any) {
			if f := watch.Load(); f != nil {
				(*f)(sent, frame)
			}
		}
		p, err := check.Enter(ctx, door, way)
		if err != nil {
			return fmt.Errorf("%s: %w", handle, err)
		}
		e.people = append(e.people, p)
		f := record.begin(p.Client.Outbox().ClientID())
		watch.Store(&f)
	}
	return nil
}

// write makes the documents, which everybody may edit.
func (e *Editors) write(ctx context.Context) error {
	me, err := identityv1.NewPeopleServiceClient(e.people[0].Client).WhoAmI(ctx, &identityv1.WhoAmIRequest{})
	if err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	docs := docsv1.NewDocsServiceClient(e.people[0].Client)
	share := map[string]int{}
	most := (e.cfg.Documents + len(e.cfg.Homes) - 1) / len(e.cfg.Homes)
	for len(e.documents) < e.cfg.Documents {
		made, err := docs.CreateDocument(ctx, &docsv1.CreateDocumentRequest{Title: "Draft", Content: `{"ops":[{"insert":"draft\n"}]}`})
		if err != nil {
			return fmt.Errorf("document: %w", err)
		}
		d := &document{id: made.GetDocument(), ways: map[string][]versions.Stamp{}}
		d.home = e.cfg.Home(me.GetWorkspace().GetId(), d.id)
		if share[d.home]++; share[d.home] > most { // it stays unused: another one comes elsewhere
			continue
		}
		if _, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: d.id, Principal: "*", Role: docsv1.Role_ROLE_EDITOR}); err != nil {
			return fmt.Errorf("role: %w", err)
		}
		read, err := docs.ReadDocument(ctx, &docsv1.ReadDocumentRequest{Document: d.id})
		if err != nil {
			return fmt.Errorf("document: %w", err)
		}
		d.base, d.epoch = read.GetVersion(), read.GetEpoch()
		d.reached(d.base)
		e.documents, e.byID[d.id] = append(e.documents, d), d
	}
	return nil
}

// start has everybody open their documents.
func (e *Editors) start(ctx context.Context) error {
	n := len(e.people)
	for i, p := range e.people {
		w := &window{
			e: e, client: n + i, person: p, docs: docsv1.NewDocsServiceClient(p.Client), slots: make(chan struct{}, maxWaiting),
		}
		if i < len(e.documents) {
			w.document = e.documents[i]
		}
		e.windows = append(e.windows, w)
		_, transport := e.cfg.Place(i)
		p := &program{
			e: e, client: i, person: p, window: w, door: e.cfg.Door(i), transport: transport, record: e.records[i],
			typist: typist{rnd.New(rnd.NewPCG(e.cfg.Seed, uint64(i)+editorStream))}, mine: map[*document][]int{},
		}
		for k := range min(each, len(e.documents)) {
			p.documents = append(p.documents, e.documents[(i+k)%len(e.documents)])
		}
		dir := p.dir(1)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := p.begin(dir); err != nil {
			return err
		}
		e.programs = append(e.programs, p)
	}
	for _, p := range e.programs {
		if err := p.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// editorStream begins the streams of random numbers that programs have; those below are a crowd's.
const editorStream = 1000

// Homes is how many documents are placed at each process.
func (e *Editors) Homes() map[string]int {
	out := map[string]int{}
	for _, d := range e.documents {
		out[d.home]++
	}
	return out
}

// now is the history's time.
func (e *Editors) now() time.Duration { return time.Since(*e.origin.Load()) }

// trouble notes what a client complains of.
func (e *Editors) trouble(client int, format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.troubles[client]) < maxTroubles {
		e.troubles[client] = append(e.troubles[client], fmt.Sprintf("at %v: ", e.now().Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

const maxTroubles = 10

// Run has everybody work until ctx ends, and returns when everything asked has its answer, or patience is at its end. The history's times begin
// with origin.
func (e *Editors) Run(ctx context.Context, origin time.Time) {
	e.origin.Store(&origin)
	var all sync.WaitGroup
	answered, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.cfg.Patience, cancel) })()
	for _, p := range e.programs {
		all.Go(func() { p.work(ctx, answered) })
	}
	for _, w := range e.windows {
		if w.document != nil {
			all.Go(func() { w.pulse(ctx, answered) })
		}
	}
	all.Go(func() { check.Audits(ctx, e.auditors, e.read) })
	all.Wait()
	for _, w := range e.windows {
		w.waits.Wait()
	}
}

// Counts is how many requests are settled, and how many of the programs are connected; some are not on purpose.
func (e *Editors) Counts() (settled, connected, programs int) {
	for _, p := range e.programs {
		if p.now.Load().client.State().Connected {
			connected++
		}
	}
	return int(e.settled.Load()), connected, len(e.programs)
}

// Close disconnects everybody.
func (e *Editors) Close() {
	for _, p := range e.programs {
		_ = p.now.Load().stop() // all that counts was written
	}
	for _, p := range e.people {
		p.Close()
	}
}

// clients are those of the history.
func (e *Editors) clients() []versions.Client {
	out := make([]versions.Client, len(e.records))
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, p := range e.people {
		_, transport := e.cfg.Place(i)
		out[i] = versions.Client{Name: p.Handle + "'s program", Transport: transport, User: p.ID, Trouble: slices.Clone(e.troubles[i])}
		n := len(e.people) + i
		out[n] = versions.Client{Name: p.Handle + "'s window", Transport: transport, User: p.ID, Trouble: slices.Clone(e.troubles[n])}
	}
	return out
}
