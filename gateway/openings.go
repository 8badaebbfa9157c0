package gateway

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	openTime     = 10 * time.Second
	openingCalls = 4                      // at the same time, of one node
	openingWait  = 200 * time.Millisecond // for a call under way; then another is begun beside it
	stormed      = 8                      // openings in a call show that many come at a time
	// bundleOpens is how many bundles are opened at the same time, in all sessions. Each has thousands of members perhaps, which are held
	// several times over on their way to the client: a storm of them all at once would take gigabytes, and leave what lives scattered among
	// what it leaves behind.
	bundleOpens = 16
)

// opened is one want and what became of it.
type opened struct {
	want  *edgev1.Want
	known uint64        // of a bundle: stands for the list that the client has; 0: it has none
	only  *filter       // nil: all events
	kind  *catalog.Kind // of the topic, when it was asked for
	grant *topicv1.Grant
	err   error
}

// openBytes is how many bytes of parameters may share a call: far below what a message holds.
const openBytes = 1 << 20

// open asks the services, each once for all its topics that one node answers for, as the user. When all have answered it calls done, which must not block.
//
// Invariant: a grant is as of the want's cursor or later. What lies behind its head is the hub's to look through for changes of access,
// and the hub begins at the cursor.
func (g *Gateway) open(ctx context.Context, caller auth.Caller, todo []opened, done func()) {
	var asks []*opening
	for i := range todo {
		w := &todo[i]
		if w.err != nil {
			continue
		}
		k := g.catalog().Kind(w.want.GetTopic())
		if k == nil { // its service was redeployed without it
			w.err = errTopic
			continue
		}
		w.kind = k
		alone := k.Class == edgev1.TopicClass_TOPIC_CLASS_BUNDLE
		key := topic.RouteKey(caller.Workspace, caller.User)
		if k.Class == edgev1.TopicClass_TOPIC_CLASS_RING || k.Class == edgev1.TopicClass_TOPIC_CLASS_VIEW { // its owner alone knows it
			key = topicKey(caller, w.want.GetTopic())
		}
		size := len(w.want.GetParams())
		at := slices.IndexFunc(asks, func(o *opening) bool {
			return o.service == k.Service && o.alone == alone && o.key == key && (size == 0 || o.bytes+size <= openBytes)
		})
		if at < 0 {
			at, asks = len(asks), append(asks, &opening{
				ctx: ctx, caller: caller, service: k.Service, key: key, alone: alone, list: make([]*opened, 0, len(todo)-i),
			})
		}
		asks[at].list, asks[at].bytes = append(asks[at].list, w), asks[at].bytes+size
	}
	left := atomic.Int32{}
	left.Store(int32(len(asks)))
	if len(asks) == 0 {
		done()
	}
	for _, o := range asks {
		o.done = func() {
			if left.Add(-1) == 0 {
				done()
			}
		}
		g.openings.ask(o)
	}
}

// opening is what one session asks one service.
type opening struct {
	ctx     context.Context //nolint:containedctx // ends with the session
	caller  auth.Caller
	service string
	key     string // that routes to the node
	alone   bool   // its answer may take long: it shares its call with nobody
	bytes   int    // of parameters
	list    []*opened
	since   time.Time
	done    func()
}

// answer notes what the service said, or why it said nothing.
func (o *opening) answer(n int, grant func(i int) *topicv1.Grant, err error) {
	for i, w := range o.list {
		switch {
		case err != nil:
			w.err = err
			continue
		case i >= n || grant(i).GetTopic() != w.want.GetTopic():
			w.err = away
			continue
		}
		switch g := grant(i); {
		case g.GetError() != nil:
			w.err = numbered(g.GetError())
		case older(g.GetHead(), w.want.GetCursor()): // no such event was there when it was asked for
			w.err = errResetEpoch
		default:
			w.grant = g
		}
	}
	o.done()
}

func older(head, cursor *edgev1.Cursor) bool {
	return head.GetEpoch() == cursor.GetEpoch() && head.GetOffset() < cursor.GetOffset()
}

// openings gathers what sessions ask, for one call to each node: whoever comes while one is under way waits for the next, so that a
// storm costs as many calls as sessions fit into one. In a storm there is the flush window between two calls, unless they would be full;
// who comes alone, or with few, doesn't wait for it.
//
// What waits is bounded by the sessions, each of which opens one Subscribe at a time.
type openings struct {
	g *Gateway

	mu    sync.Mutex // guards all below
	nodes map[grpc.ClientConnInterface]*node
}

// node is a service's process. Invariant: it is listed while a call is under way.
type node struct {
	waiting []*opening
	wants   int // of waiting
	calls   int // under way
}

// ask has an opening answered.
func (q *openings) ask(o *opening) {
	if o.alone {
		q.g.bundles.do(func() { q.bundle(o) })
		return
	}
	cc, err := q.g.deps.Services.Conn(o.service, o.key)
	if err != nil {
		o.answer(0, nil, away.Because(err))
		return
	}
	o.since = time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.nodes[cc]
	if n == nil {
		n = &node{}
		q.nodes[cc] = n
	}
	n.waiting, n.wants = append(n.waiting, o), n.wants+len(o.list)
	full := len(n.waiting) >= topic.MaxOpenings || n.wants >= topic.MaxEachWants
	late := o.since.Sub(n.waiting[0].since) > openingWait
	if n.calls == 0 || (full || late) && n.calls < openingCalls {
		n.calls++
		q.g.calls.Go(func() { q.work(cc, n) })
	}
}

// work calls a node until nobody waits.
func (q *openings) work(cc grpc.ClientConnInterface, n *node) {
	for {
		list := q.next(cc, n)
		if list == nil {
			return
		}
		q.each(cc, list)
		if len(list) < stormed {
			continue
		}
		select {
		case <-time.After(q.g.cfg.Window):
		case <-q.g.base.Done():
		}
	}
}

// next takes as many as may share a call; nil: nobody waits, and the call's place is given up.
func (q *openings) next(cc grpc.ClientConnInterface, n *node) []*opening {
	q.mu.Lock()
	defer q.mu.Unlock()
	wants, bytes, k := 0, 0, 0
	for k < len(n.waiting) && k < topic.MaxOpenings &&
		(k == 0 || wants+len(n.waiting[k].list) <= topic.MaxEachWants && bytes+n.waiting[k].bytes <= openBytes) {
		wants, bytes = wants+len(n.waiting[k].list), bytes+n.waiting[k].bytes
		k++
	}
	list := n.waiting[:k:k]
	n.waiting, n.wants = n.waiting[k:], n.wants-wants
	if k > 0 {
		return list
	}
	n.waiting = nil
	if n.calls--; n.calls == 0 {
		delete(q.nodes, cc)
	}
	return nil
}

// each asks for all of a list at once.
func (q *openings) each(cc grpc.ClientConnInterface, list []*opening) {
	ctx, cancel := context.WithTimeout(q.g.base, openTime)
	defer cancel()
	req, asked := &topicv1.OpenEachRequest{}, make([]*opening, 0, len(list))
	places := map[want]uint32{}
	for _, o := range list {
		switch {
		case o.ctx.Err() != nil: // nobody waits for it
			o.answer(0, nil, o.ctx.Err())
			continue
		case time.Since(o.since) > openTime:
			o.answer(0, nil, away)
			continue
		}
		part := &topicv1.Opening{Token: o.caller.Token, Wants: make([]uint32, len(o.list))}
		for i, w := range o.list {
			k := want{
				w.want.GetTopic(), string(w.want.GetParams()), w.want.GetMode(),
				w.want.GetCursor().GetEpoch(), w.want.GetCursor().GetOffset(), w.want.GetCursor() != nil,
			}
			n, known := places[k]
			if !known {
				n = uint32(len(req.GetWants()))
				req.Wants, places[k] = append(req.Wants, w.want), n
			}
			part.Wants[i] = n
		}
		req.Openings, asked = append(req.Openings, part), append(asked, o)
	}
	if len(asked) == 0 {
		return
	}
	res, err := topicv1.NewTopicServiceClient(cc).OpenEach(ctx, req)
	if err != nil && rpc.CodeOf(err) < edgev1.Code_CODE_UNAVAILABLE { // one of them is the cause, or the node is of a version before OpenEach
		var wg sync.WaitGroup
		for _, o := range asked {
			wg.Go(func() { q.alone(cc, o) })
		}
		wg.Wait()
		return
	}
	for i, o := range asked {
		switch {
		case err != nil:
			o.answer(0, nil, err)
		case i >= len(res.GetOpened()):
			o.answer(0, nil, away)
		case res.GetOpened()[i].GetError() != nil:
			o.answer(0, nil, numbered(res.GetOpened()[i].GetError()))
		default:
			grants := res.GetOpened()[i].GetGrants()
			o.answer(len(grants), func(j int) *topicv1.Grant {
				if int(grants[j]) < len(res.GetGrants()) {
					return res.GetGrants()[grants[j]]
				}
				return nil
			}, nil)
		}
	}
}

// want is what makes one want the same as another: all of it.
type want struct {
	topic, params string
	mode          edgev1.Mode
	epoch, offset uint64
	cursor        bool
}

// bundle asks for one that is alone, of the node that is there by now.
func (q *openings) bundle(o *opening) {
	cc, err := q.g.deps.Services.Conn(o.service, o.key)
	if err != nil {
		o.answer(0, nil, away.Because(err))
		return
	}
	q.alone(cc, o)
}

// alone asks for one.
func (q *openings) alone(cc grpc.ClientConnInterface, o *opening) {
	ctx, cancel := context.WithTimeout(rpc.WithToken(o.ctx, o.caller.Token), openTime)
	defer cancel()
	req := &topicv1.OpenRequest{Wants: make([]*edgev1.Want, len(o.list))}
	for i, w := range o.list {
		req.Wants[i] = w.want
	}
	res, err := topicv1.NewTopicServiceClient(cc).Open(ctx, req)
	o.answer(len(res.GetGrants()), func(i int) *topicv1.Grant { return res.GetGrants()[i] }, err)
}
