package gateway

import (
	"net/http"
	"strconv"
	"time"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

var errWait = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.WAIT", "wait is how long to wait for news, in ms: 0 to 55000.").On("wait")

// servePoll serves a session of one question and one answer: it does what the message says, waits for all that was asked and, where topics are
// followed, for the first news of them.
func (g *Gateway) servePoll(w http.ResponseWriter, r *http.Request, leave func()) {
	h := w.Header()
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	if r.Method != http.MethodPost {
		notAllowed(w, http.MethodPost)
		return
	}
	kind, ok := accepts(w, r)
	if !ok {
		return
	}
	wait := pollWait
	q, err := parameters(r.URL.RawQuery, "wait")
	if err != nil {
		connectError(w, err)
		return
	}
	if q.Has("wait") {
		ms, err := strconv.ParseUint(q.Get("wait"), 10, 16)
		if wait = time.Duration(ms) * time.Millisecond; err != nil || wait > maxPollWait {
			connectError(w, errWait)
			return
		}
	}
	h.Set("Content-Type", kind)
	t := newStream(w, r, r.Body, messageTypes[kind], true)
	t.ends, t.late = g.alarms.now()+wait, wait == 0
	if address := g.address(r); g.enters(t, address) {
		g.serveStream(r, t, bearer(r), address, leave)
	}
}
