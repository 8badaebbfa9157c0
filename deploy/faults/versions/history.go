package versions

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// History is all that is known about a run.
type History struct {
	Clients   []Client
	Documents []Document
	Faults    []Fault
}

// Client is a program of somebody's that edits documents.
type Client struct {
	Name      string
	Transport string // by which it connects
	User      string
	Trouble   []string // what it complained of: an edit that was refused, a document that it had to give up
}

func (c *Client) String() string { return c.Name + " by " + c.Transport }

// Document is one document, and what clients asked for, were answered and were shown of it. Clients are named by their place in
// History.Clients.
type Document struct {
	ID       string
	Home     string // the process that it is placed at
	Epoch    uint64
	Base     uint64             // version when the load began
	Log      []Event            // from the first one on, read after all has settled
	Ways     map[string][]Stamp // by gateway and transport: the whole log, as it was told there
	Sends    []Send
	Edits    []Edit
	Told     map[int][]Stamp // by client: the events that it was told, each when it came first
	Contents []Content
	Threads  []Thread // as the service lists them in the end
	Listed   uint64   // the version that their ranges are of
	Pulses   []Pulse  // ascending
}

// Stamp is an event, by what tells it from others.
type Stamp struct {
	Version  uint64
	Mutation uint64
	Digest   uint64 // of its body
}

// Event is one of a document's log.
type Event struct {
	Stamp

	Actor  string
	Edit   string // a delta; empty: the content stays
	Thread uint64 // of comments: which thread; of a new one its own version
	From   int    // where a new thread begins, in code units
	To     int
	// Resolved and Open say that the thread was closed, or opened again.
	Resolved, Open bool
}

// Kind is what a client asks for.
type Kind string

// The kinds of requests. Each appends an event.
const (
	Submit  Kind = "edit"
	Begin   Kind = "thread"
	Reply   Kind = "comment"
	Resolve Kind = "resolve" // a thread, or open it again
)

// Outcome is what became of a request, as its client knows it.
type Outcome string

// Outcomes.
const (
	Done      Outcome = "done"    // it was answered
	Heard     Outcome = "heard"   // its event came before an answer did
	Refused   Outcome = "refused" // it did not take place, and will not
	Gone      Outcome = "gone"    // refused: the text that it was about was deleted meanwhile
	Unsettled Outcome = "unsettled"
)

// Send is a request with a number of its own, however often it was sent.
type Send struct {
	Client   int
	Seq      uint64
	Mutation uint64 // what its event says
	Kind     Kind
	Base     uint64 // the version that it is of
	Delta    string // of Submit
	Outcome  Outcome
	Version  uint64        // that it made; 0 of Resolve: nothing changed
	Epoch    uint64        // that the answer told; 0: it told none
	Call     time.Duration // since the load began: when it was sent first
	Return   time.Duration // when its outcome was known
	Error    string        // why it was refused
	Changed  bool          // it was sent again as another request
}

// Edit is one that somebody typed. It writes its mark into the text, beside whatever else it does.
type Edit struct {
	Client int
	Number int // ascending, of each client; the mark has both
	Action string
	Undone bool // its author took it back, and did not do it again
	Redone bool // its author took it back and did it again, once at least
	Known  bool // its client knows that the server has it
}

// Mark is what the edit writes.
func (e Edit) Mark() string { return Mark(e.Client, e.Number) }

// Mark is what an edit of a client writes. Nobody types brackets besides, nor deletes a mark, nor writes into one; but its author may undo.
func Mark(client, number int) string { return fmt.Sprintf("[%d.%d]", client, number) }

// MarkLength is more than the longest mark has, in code units.
const MarkLength = 16

// Author is the client whose mark it is; -1: it is none.
func Author(mark string) int {
	parts := markForm.FindStringSubmatch(mark)
	if parts == nil || parts[0] != mark {
		return -1
	}
	client, err := strconv.Atoi(parts[1])
	if err != nil {
		return -1
	}
	return client
}

// How somebody came to a content.
const (
	Shown   = "was shown"  // by a client that had nothing of its own under way
	Read    = "read"       // by a call
	Kept    = "has"        // in the end, by a client that had caught up
	Written = "finds kept" // by a call, of a version that is listed
)

// Content is what somebody saw of a version.
type Content struct {
	Client  int
	How     string
	Version uint64
	Hash    [sha256.Size]byte
	Call    time.Duration // of Read: when it was asked for
	Newest  bool          // of Read: the newest was asked for
}

// Thread is a thread of comments as the service tells of it.
type Thread struct {
	ID       uint64
	From, To int
	Orphaned bool
	Resolved bool
	Comments int
}

// Pulse is an edit that was sent when the one before it was answered, so that there always is one under way, but for a pause.
type Pulse struct {
	Client int
	Call   time.Duration
	Return time.Duration
}

// Fault is what was done to the installation.
type Fault struct {
	Kind    string
	Targets []string
	From    time.Duration
	To      time.Duration // when it was undone
	Owner   bool          // it took the process away that Targets names, which owns documents
}

// who is a client, for people.
func (h *History) who(client int) string {
	if client < 0 || client >= len(h.Clients) {
		return fmt.Sprintf("client %d", client)
	}
	return fmt.Sprintf("client %d, %v", client, &h.Clients[client])
}

// Verdict is the outcome of all checks.
type Verdict struct {
	Documents int
	Events    int // that stand in the logs behind their bases
	Edits     int // that were typed
	Requests  int // that were settled
	Contents  int // that were compared
	Stills    []Still
	Faults    []string // what must not be
}

func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d documents: %d edits typed, %d requests settled, %d events stand, %d contents compared",
		v.Documents, v.Edits, v.Requests, v.Events, v.Contents)
	for _, s := range v.Stills {
		fmt.Fprintf(&b, "\n%v", s)
	}
	return b.String()
}

// maxFaults bounds what a verdict tells: the first ones say what is wrong.
const maxFaults = 100

func (v *Verdict) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Check holds a history against everything that Plenum promises of documents.
func (h *History) Check() Verdict {
	v := Verdict{Documents: len(h.Documents)}
	for i := range h.Clients {
		for _, why := range h.Clients[i].Trouble {
			v.fault("TROUBLE %s: %s", h.who(i), why)
		}
	}
	for i := range h.Documents {
		j := &judge{h, &h.Documents[i], &v, nil}
		v.Events += len(j.d.Log) - int(min(j.d.Base, uint64(len(j.d.Log))))
		v.Edits += len(j.d.Edits)
		v.Requests += len(j.d.Sends)
		v.Contents += len(j.d.Contents)
		j.settled()
		if !j.agree() || !j.read() { // such a log says nothing about the rest
			continue
		}
		j.once()
		j.meant()
		j.order()
		j.contents()
		j.marks()
		j.threads()
	}
	h.still(&v)
	return v
}
