package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// FeedConfig of a HeadsFeed; zero values mean the defaults.
type FeedConfig struct {
	Service string
	Sweep   time.Duration // between two routine questions, which also keep the answers short; 0: 1 min
	Timeout time.Duration // of one question; 0: 5 s
	Buffer  int           // digests that may wait to be read; 0: 4,096
}

// FeedDeps are the surroundings of a HeadsFeed.
type FeedDeps struct {
	Source topicv1.TopicServiceClient // Heads alone is called
	Bus    *bus.Bus
	// Handle gets every head that has changed, from one goroutine; it must not block. It may get one twice, and an old one after a
	// new one: heads of a topic are ordered by (epoch, offset).
	Handle func(workspace string, h *edgev1.Head)
	// Derived, if not nil, makes it a feed of what the service's own follower has derived from (FollowerConfig.Announce), of which
	// it gets the heads. It runs on the same goroutine as Handle.
	//
	// Invariant: before a head is told here, those of all topics that were appended to by deriving up to it were told, here or to
	// Handle. Handle gets nothing else of use then: another feed tells it what was committed.
	Derived func(workspace string, h *edgev1.Head)
	Log     *slog.Logger // nil: silent
}

// HeadsFeed tells which topics of a service have moved: from the digests on the bus, and from the log itself whenever one of them
// may have been missed. What was committed arrives within a second, and within about 3 s where the bus or a writer has failed.
type HeadsFeed struct {
	cfg       FeedConfig
	source    topicv1.TopicServiceClient
	subscribe func(subject string, ch chan<- bus.Message) (cancel func(), err error)
	again     func(func()) (cancel func()) // calls when the bus was away
	handle    func(string, *edgev1.Head)
	derived   func(string, *edgev1.Head)
	log       *slog.Logger
	missed    chan struct{} // holds one: the log is to be asked
	ready     chan struct{}
	once      sync.Once
	stale     atomic.Bool
}

// NewHeadsFeed checks the configuration; it subscribes in Run.
func NewHeadsFeed(cfg FeedConfig, deps FeedDeps) (*HeadsFeed, error) {
	if !identifier.MatchString(cfg.Service) || deps.Source == nil || deps.Bus == nil || deps.Handle == nil {
		return nil, errors.New("topic: a feed needs a service, a source, a bus and a handler")
	}
	subscribe := func(subject string, ch chan<- bus.Message) (func(), error) {
		s, err := deps.Bus.Subscribe(subject, ch)
		if err != nil {
			return nil, err
		}
		return s.Unsubscribe, nil
	}
	return newFeed(cfg, deps, subscribe, deps.Bus.OnReconnect), nil
}

func newFeed(cfg FeedConfig, deps FeedDeps, subscribe func(string, chan<- bus.Message) (func(), error), again func(func()) func()) *HeadsFeed {
	if cfg.Sweep <= 0 {
		cfg.Sweep = time.Minute
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = 4096
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &HeadsFeed{cfg: cfg, source: deps.Source, subscribe: subscribe, again: again, handle: deps.Handle, derived: deps.Derived,
		log: deps.Log, missed: make(chan struct{}, 1), ready: make(chan struct{})}
}

// Ready is closed once the feed knows where it starts: what is committed from then on will be told.
func (f *HeadsFeed) Ready() <-chan struct{} { return f.ready }

// Stale reports that the log was asked in vain: of what was committed lately nobody may have been told.
func (f *HeadsFeed) Stale() bool { return f.stale.Load() }

// Look has the log asked soon: somebody may have died with something untold.
func (f *HeadsFeed) Look() {
	select {
	case f.missed <- struct{}{}:
	default:
	}
}

// answer is what a question brought.
type answer struct {
	*topicv1.HeadsResponse
	derived bool
}

// Run follows until ctx ends. While the service is away it asks again and again.
func (f *HeadsFeed) Run(ctx context.Context) error {
	messages := make(chan bus.Message, f.cfg.Buffer)
	subject, s := "plenum._.digest.", stream(&committedStream{f, newTracker(time.Now())})
	if f.derived != nil {
		subject, s = "plenum._.derived.", &derivedStream{f, newIntervals(time.Now())}
	}
	cancel, err := f.subscribe(subject+f.cfg.Service+".*", messages)
	if err != nil {
		return fmt.Errorf("topic: follow heads of %s: %w", f.cfg.Service, err)
	}
	defer cancel()
	defer f.again(f.Look)()
	f.Look() // the first question finds the start

	answers := make(chan answer)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { f.sweep(ctx, answers) })

	tick := time.NewTicker(silence / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-messages:
			missed, err := s.message(time.Now(), m)
			if err != nil {
				f.log.WarnContext(ctx, "a digest can't be read", "subject", m.Subject, "error", err)
			}
			if missed || err != nil {
				f.Look()
			}
		case <-tick.C:
			if s.tick(time.Now()) {
				f.Look()
			}
		case a := <-answers:
			if err := s.answer(a); err != nil {
				f.log.WarnContext(ctx, "an answer can't be read", "owner", f.cfg.Service, "error", err)
			}
		}
	}
}

// stream is what a feed follows: it tells the heads, and notices what was missed.
type stream interface {
	message(now time.Time, m bus.Message) (missed bool, err error)
	answer(a answer) error
	tick(now time.Time) (missed bool)
}

// committedStream are the digests of a log's writers.
type committedStream struct {
	*HeadsFeed
	*tracker
}

func (s *committedStream) message(now time.Time, m bus.Message) (missed bool, err error) {
	d := &topicv1.Digest{}
	number, err := decode(m, d)
	if err != nil {
		return false, err
	}
	tell(s.handle, d.GetWorkspaces(), d.GetHeads())
	return s.digest(now, number, d), nil
}

func (s *committedStream) answer(a answer) error {
	tell(s.handle, a.GetWorkspaces(), a.GetHeads())
	return nil
}

// derivedStream are the announcements of a follower.
type derivedStream struct {
	*HeadsFeed
	*intervals
}

func (s *derivedStream) message(now time.Time, m bus.Message) (missed bool, err error) {
	d := &topicv1.Derived{}
	number, err := decode(m, d)
	if err != nil {
		return false, err
	}
	due, missed := s.take(now, number, d)
	s.tell(due)
	return missed, nil
}

func (s *derivedStream) tell(due []*topicv1.Derived) {
	for _, d := range due {
		tell(s.derived, d.GetWorkspaces(), d.GetHeads())
	}
}

func (s *derivedStream) answer(a answer) error {
	if !a.derived {
		tell(s.handle, a.GetWorkspaces(), a.GetHeads())
		return nil
	}
	upto, err := unpack(a.GetNext())
	if err != nil {
		return err
	}
	tell(s.derived, a.GetWorkspaces(), a.GetHeads())
	s.tell(s.answered(upto))
	return nil
}

func tell(handle func(string, *edgev1.Head), workspaces []string, heads []*edgev1.Head) {
	for i, h := range heads {
		if i < len(workspaces) {
			handle(workspaces[i], h)
		}
	}
}

func decode(m bus.Message, d proto.Message) (partition uint32, err error) {
	number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 32)
	if err != nil || number >= Partitions {
		return 0, errBadPartition
	}
	if err := proto.Unmarshal(m.Data, d); err != nil {
		return 0, fmt.Errorf("topic: decode digest: %w", err)
	}
	return uint32(number), nil
}

// watermarks are how far a feed has asked.
type watermarks struct{ committed, derived string }

// sweep asks the log what moved: after a miss, and as a routine.
func (f *HeadsFeed) sweep(ctx context.Context, answers chan<- answer) {
	var at watermarks
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.missed:
			// Many gateways miss the same digest: spread their questions, and let several misses be one.
			if at.committed != "" && !sleep(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond)) {
				return
			}
			select {
			case <-f.missed:
			default:
			}
		case <-time.After(f.cfg.Sweep):
		}
		for wait := minRetry; ; wait = min(2*wait, maxRetry) {
			err := f.ask(ctx, &at, answers)
			f.stale.Store(err != nil)
			if err == nil {
				f.once.Do(func() { close(f.ready) })
				break
			}
			if ctx.Err() != nil {
				return
			}
			if rpc.CodeOf(err) == edgev1.Code_CODE_INVALID_ARGUMENT && at.committed != "" { // of another version of the service: everything may have moved
				at.committed = pack(make([]mark, Partitions))
				at.derived = at.committed
			}
			if rpc.FromError(err).GetReason() != errStarting.Reason { // a service that starts is no reason to warn
				f.log.WarnContext(ctx, "can't ask what moved", "owner", f.cfg.Service, "error", err)
			}
			if !sleep(ctx, wait) {
				return
			}
		}
	}
}

func (f *HeadsFeed) ask(ctx context.Context, at *watermarks, answers chan<- answer) error {
	if f.derived == nil {
		return f.askCommitted(ctx, at, answers)
	}
	for {
		r, err := f.heads(ctx, &topicv1.HeadsRequest{Since: at.derived, Derived: true})
		if err != nil {
			return err
		}
		// What the follower has appended by deriving all that, asked for afterwards and told before.
		if err := f.askCommitted(ctx, at, answers); err != nil {
			return err
		}
		if err := give(ctx, answers, answer{r, true}); err != nil {
			return err
		}
		at.derived = r.GetNext()
		if !r.GetTruncated() {
			return nil
		}
	}
}

// askCommitted reads all that moved since a watermark.
func (f *HeadsFeed) askCommitted(ctx context.Context, at *watermarks, answers chan<- answer) error {
	for {
		r, err := f.heads(ctx, &topicv1.HeadsRequest{Since: at.committed})
		if err != nil {
			return err
		}
		if err := give(ctx, answers, answer{r, false}); err != nil {
			return err
		}
		at.committed = r.GetNext()
		if !r.GetTruncated() {
			return nil
		}
	}
}

func (f *HeadsFeed) heads(ctx context.Context, req *topicv1.HeadsRequest) (*topicv1.HeadsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	return f.source.Heads(ctx, req)
}

func give(ctx context.Context, answers chan<- answer, a answer) error {
	select {
	case answers <- a:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
