// Package topic is the log of a service: topics of events in 64 partitions, written in group commits to SQL, published after the
// commit, read by cursor and followed exactly once.
//
// # For a service
//
// It describes its table by a [Schema] (put Schema.Migrations into its set of migrations), implements a [Planner], and writes by
// [Log.Mutate]. [NewServer] serves the log to gateways and followers. [Follower] derives tables from another log, or from its own;
// inside Follower.Handle, [Log.Append] writes events in the follower's own transaction.
//
// A follower with FollowerConfig.Announce keeps the heads of what it has derived and tells feeds with FeedDeps.Derived: for whoever
// shows heads together with what was derived from them.
//
// # For a service whose topics live in memory
//
// It keeps a [Ring] for each topic of the class RING and a [View] for what topics of the class VIEW show, and implements TopicService itself:
// Open by [OpenOne] and [OpenEach] over Ring.Grant, or a Grant with nothing but the topic for a view; Tail by [Ring.Tail] and [View.Watch].
// mesh/meshtest/board is one. Gateways route both by the topic's id, so its own methods do well to have a routing field of the same id.
//
// # What may surprise
//
//   - An entry's topic must lie in the mutation's partition: the part of its name behind "/" is the mutation's Route.
//   - A mutation whose plan has no entries is remembered too: a retry of its key gets the first answer. One whose plan sets Step.Err
//     is not: a retry is planned anew.
//   - Entry.Redacts alone empties the rows it names, in the same transaction, and raises the topic's redacted mark. Columns of the
//     service's own are the planner's to empty.
//   - Entry.Floor raises the topic's floor in the same transaction: from then on nothing at or below it is replayed. The rows stay, and keep
//     their bodies until the service has taken them by Log.Erase, portion by portion: there may be millions.
//   - An answer is kept with the key for 35 days and outlives a redaction: ids, offsets and times only.
//   - The wire contract has grown: TailRequest names its workspace, TailResponse the head; Follow's positions belong to an epoch; heads
//     come with their epoch, and order by (epoch, offset).
//   - Follower and HeadsFeed know no workspace: they see all of them.
//   - Epochs are Unix seconds, so that a backup restored twice can't give the same epoch to two lives.
package topic

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Partitions is how many partitions every log has; it can't change while there is data.
const Partitions = 64

// MaxName is the longest name of a topic in bytes.
const MaxName = 96

// PartitionOf returns the partition of what an id routes to.
func PartitionOf(workspace, id string) uint32 {
	return uint32(xxhash.Sum64String(workspace+"/"+id) % Partitions)
}

// RouteKey names the partition that an id belongs to: by it gateways place calls among the nodes of a service, so that all calls about the id meet at one
// node, which commits them together. A service that has an owner for each id places them by it, too.
func RouteKey(workspace, id string) string { return partitionNames[PartitionOf(workspace, id)] }

var partitionNames = func() (names [Partitions]string) {
	for i := range names {
		names[i] = string([]byte{'0' + byte(i/10), '0' + byte(i%10)})
	}
	return names
}()

// ID returns the part of a topic's name behind the slash: what routes it. Empty where the name has none.
func ID(topic string) string {
	_, id, _ := strings.Cut(topic, "/")
	return id
}

// ValidName reports whether a topic's name is kind "/" id, [a-z.]+/[A-Za-z0-9_-]+, of at most MaxName bytes.
func ValidName(name string) bool {
	kind, id, ok := strings.Cut(name, "/")
	if !ok || kind == "" || len(name) > MaxName {
		return false
	}
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && c != '.' {
			return false
		}
	}
	return ValidID(id)
}

// ValidID reports whether s matches [A-Za-z0-9_-]+.
func ValidID(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// Key names a mutation: (User, ClientID, Seq) is unique within a partition. Without ClientID it is no key, and the mutation must be
// harmless when it is repeated (a marker with a version).
type Key struct {
	User     string // the row's author, with a key or without
	ClientID string // <= 64 bytes of printable ASCII
	Seq      uint64 // from 1, < 2^53
}

func (k Key) named() bool { return k.ClientID != "" }

// valid reports whether a key is complete, and of bytes that every engine and encoding keeps as they are.
func (k Key) valid() bool {
	if k.User != "" && !ValidID(k.User) {
		return false
	}
	for _, c := range []byte(k.ClientID) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return !k.named() || k.User != "" && len(k.ClientID) <= 64 && k.Seq > 0 && k.Seq < 1<<53
}

// Mutation is the number by which the author finds an event of its own: the first 8 bytes, big endian, of
// SHA-256(client_id "/" client_seq); 0 without a key.
func (k Key) Mutation() uint64 {
	if !k.named() {
		return 0
	}
	h := sha256.Sum256(strconv.AppendUint([]byte(k.ClientID+"/"), k.Seq, 10))
	return binary.BigEndian.Uint64(h[:8])
}

// Mutation is one request to change something.
type Mutation struct {
	Workspace string
	Route     string // the id whose partition this runs in: the channel, the user
	Key       Key
	Request   proto.Message // what a retry must repeat to the byte; nil: empty
	Op        any           // for the planner
}

// Step is a mutation within a batch. The planner sets what stands below Alone.
type Step struct {
	Mutation
	Now time.Time // of the batch: what time_ms of its rows will be
	// Alone says that nobody else's mutation has run in this partition since the last of this process's that reached the planner: what
	// the planner remembers of the partition from then still holds, but for what this process's own mutations have changed.
	Alone bool

	Entries []Entry
	// Answer makes the reply once the entries are numbered; rows are those of this step's entries, in order. Nil: an empty reply.
	Answer func(rows []Row) proto.Message
	// Err refuses this step alone: nothing of it is kept but what the planner wrote for it.
	Err error
}

// Entry is one event to append.
type Entry struct {
	Topic     string
	Body      []byte            // <= Config.MaxBody; not to be changed afterwards
	Access    []*topicv1.Access // rights that change at this event's offset
	Redacts   []uint64          // earlier offsets of this topic whose bodies end here, <= 1000
	Floor     uint64            // an earlier offset of this topic: what lies at or below can't be replayed from here on; 0: the floor stays
	Heads     []*edgev1.Head    // on a user's own topic: changed entries of the user's bundle
	About     uint64            // lowest earlier offset of this topic that the body tells of; 0: none. Who can't read that gets no body
	Countable bool              // raises the topic's count
	CallsAll  bool              // of countable ones: raises the topic's calls, too
	Extra     any               // for the service's own columns
}

// Row is one row of the log, with every prescribed column.
type Row struct {
	Partition uint32
	Position  uint64 // in the partition, from 1, in commit order, without holes
	Workspace string
	Topic     string
	Epoch     uint64
	Offset    uint64 // in the topic, from 1, without holes
	TimeMs    int64  // Unix
	Mutation  uint64
	Body      []byte // nil: redacted, or empty
	Envelope  []byte // a topicv1.Record with access, redacts, heads, about and floor alone; nil: none of them
	Count     uint64 // of the topic, this row included
	Calls     uint64
	User      string
	ClientID  string // the key stands in the first row of a mutation; empty: none
	ClientSeq uint64
	Digest    []byte // HMAC-SHA-256(Salt, request)
	Salt      []byte
	Answer    []byte
	Extra     any
}

// Planner is the service's part of a write. Both methods run inside the batch's transaction, on one goroutine for each writer, and
// may run again with the same steps after a failure.
type Planner interface {
	// Plan decides what each step does. Retries are gone; the partitions of all steps are locked, so what the service keeps by
	// partition can't change meanwhile. Steps of a batch take effect in their order: a later one must see what an earlier one did.
	// An error fails the batch, which is then halved until the guilty step stands alone.
	Plan(ctx context.Context, tx *sql.Tx, steps []*Step) error
	// Insert writes the numbered rows of the steps that were not refused, and whatever needed their numbers: Schema.InsertRows first.
	Insert(ctx context.Context, tx *sql.Tx, rows []Row) error
}
