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
	Log    *slog.Logger // nil: silent
}

// HeadsFeed tells which topics of a service have moved: from the digests on the bus, and from the log itself whenever one of them
// may have been missed. What was committed arrives within a second, and within about 3 s where the bus or a writer has failed.
type HeadsFeed struct {
	cfg       FeedConfig
	source    topicv1.TopicServiceClient
	subscribe func(subject string, ch chan<- bus.Message) (cancel func(), err error)
	again     func(func()) (cancel func()) // calls when the bus was away
	handle    func(string, *edgev1.Head)
	log       *slog.Logger
	ready     chan struct{}
	once      sync.Once
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
	return &HeadsFeed{cfg: cfg, source: deps.Source, subscribe: subscribe, again: again, handle: deps.Handle, log: deps.Log,
		ready: make(chan struct{})}
}

// Ready is closed once the feed knows where it starts: what is committed from then on will be told.
func (f *HeadsFeed) Ready() <-chan struct{} { return f.ready }

// Run follows until ctx ends. While the service is away it asks again and again.
func (f *HeadsFeed) Run(ctx context.Context) error {
	digests := make(chan bus.Message, f.cfg.Buffer)
	cancel, err := f.subscribe("plenum._.digest."+f.cfg.Service+".*", digests)
	if err != nil {
		return fmt.Errorf("topic: follow digests of %s: %w", f.cfg.Service, err)
	}
	defer cancel()
	missed := make(chan struct{}, 1)
	miss := func() {
		select {
		case missed <- struct{}{}:
		default:
		}
	}
	defer f.again(miss)()
	miss() // the first question finds the start

	answers := make(chan *topicv1.HeadsResponse)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { f.sweep(ctx, missed, answers) })

	tracker := newTracker(time.Now())
	tick := time.NewTicker(silence / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-digests:
			number, d, err := decodeDigest(m)
			if err != nil {
				f.log.WarnContext(ctx, "a digest can't be read", "subject", m.Subject, "error", err)
				miss()
				continue
			}
			if tracker.digest(time.Now(), number, d) {
				miss()
			}
			f.tell(d.GetWorkspaces(), d.GetHeads())
		case <-tick.C:
			if tracker.tick(time.Now()) {
				miss()
			}
		case r := <-answers:
			f.tell(r.GetWorkspaces(), r.GetHeads())
		}
	}
}

func (f *HeadsFeed) tell(workspaces []string, heads []*edgev1.Head) {
	for i, h := range heads {
		if i < len(workspaces) {
			f.handle(workspaces[i], h)
		}
	}
}

func decodeDigest(m bus.Message) (uint32, *topicv1.Digest, error) {
	number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 32)
	if err != nil || number >= Partitions {
		return 0, nil, errBadPartition
	}
	d := &topicv1.Digest{}
	if err := proto.Unmarshal(m.Data, d); err != nil {
		return 0, nil, fmt.Errorf("topic: decode digest: %w", err)
	}
	return uint32(number), d, nil
}

// sweep asks the log what moved: after a miss, and as a routine.
func (f *HeadsFeed) sweep(ctx context.Context, missed <-chan struct{}, answers chan<- *topicv1.HeadsResponse) {
	watermark := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-missed:
			// Many gateways miss the same digest: spread their questions, and let several misses be one.
			if watermark != "" && !sleep(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond)) {
				return
			}
			select {
			case <-missed:
			default:
			}
		case <-time.After(f.cfg.Sweep):
		}
		for wait := minRetry; ; wait = min(2*wait, maxRetry) {
			next, err := f.ask(ctx, watermark, answers)
			watermark = next
			if err == nil {
				f.once.Do(func() { close(f.ready) })
				break
			}
			if ctx.Err() != nil {
				return
			}
			if rpc.CodeOf(err) == edgev1.Code_CODE_INVALID_ARGUMENT && watermark != "" {
				watermark = pack(make([]mark, Partitions)) // of another version of the service: everything may have moved
			}
			f.log.WarnContext(ctx, "can't ask what moved", "service", f.cfg.Service, "error", err)
			if !sleep(ctx, wait) {
				return
			}
		}
	}
}

// ask reads all that moved since a watermark, and returns how far it came.
func (f *HeadsFeed) ask(ctx context.Context, watermark string, answers chan<- *topicv1.HeadsResponse) (string, error) {
	for {
		call, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
		r, err := f.source.Heads(call, &topicv1.HeadsRequest{Since: watermark})
		cancel()
		if err != nil {
			return watermark, err
		}
		select {
		case answers <- r:
		case <-ctx.Done():
			return watermark, ctx.Err()
		}
		watermark = r.GetNext()
		if !r.GetTruncated() {
			return watermark, nil
		}
	}
}
