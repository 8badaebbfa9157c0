package docs

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// peopled is a world that follows identity and chat, of which both are doubles: logs of events in memory.
func peopled(tb testing.TB, url string) *world {
	w := unstarted(tb, url)
	w.identity, w.chat = newFollowed(), newFollowed()
	return w
}

// everyEnginePeopled runs a test on both databases.
func everyEnginePeopled(t *testing.T, test func(t *testing.T, w *world), change ...func(*Config)) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := peopled(t, url)
		w.start(change...)
		test(t, w)
	})
}

// followed is another service's log.
type followed struct {
	topicv1.UnimplementedTopicServiceServer
	mu      sync.Mutex // guards all below
	epoch   uint64
	records [topic.Partitions][]*topicv1.Record
	changed chan struct{}
}

func newFollowed() *followed { return &followed{epoch: 1, changed: make(chan struct{})} }

func (f *followed) serve(tb testing.TB, service string) grpc.ClientConnInterface {
	server, err := rpc.NewServer(rpc.ServerConfig{StopGrace: time.Millisecond}, rpc.ServerDeps{
		Service: service, Internal: map[string][]string{topicv1.TopicService_Follow_FullMethodName: {rpc.AnyPeer}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	topicv1.RegisterTopicServiceServer(server, f)
	run(tb, server.Run)
	return server.Pipe("docs")
}

// put appends an event of a topic.
func (f *followed) put(workspace, name string, e proto.Message, access ...*topicv1.Access) {
	body, err := proto.Marshal(e)
	if err != nil {
		panic(err)
	}
	f.change(func() {
		p := topic.PartitionOf(workspace, topic.ID(name))
		at := uint64(len(f.records[p]) + 1)
		f.records[p] = append(f.records[p], &topicv1.Record{
			Workspace: workspace, Topic: name, Position: at, Event: &edgev1.Event{Offset: at, Body: body}, Access: access,
		})
	})
}

func (f *followed) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

// anew begins another life of the history, with nothing in it.
func (f *followed) anew() {
	f.change(func() {
		f.epoch++
		f.records = [topic.Partitions][]*topicv1.Record{}
	})
}

func (f *followed) Follow(req *topicv1.FollowRequest, stream grpc.ServerStreamingServer[topicv1.FollowResponse]) error {
	f.mu.Lock()
	epoch := f.epoch
	f.mu.Unlock()
	if req.GetEpoch() != epoch && (req.GetEpoch() != 0 || req.GetAfter() != 0) {
		return stream.Send(&topicv1.FollowResponse{Reset_: &edgev1.Error{Code: edgev1.Code_CODE_RESET_EPOCH}, Epoch: epoch})
	}
	for after := req.GetAfter(); ; {
		f.mu.Lock()
		var records []*topicv1.Record
		for _, r := range f.records[req.GetPartition()][min(after, uint64(len(f.records[req.GetPartition()]))):] {
			records = append(records, proto.CloneOf(r)) // over a pipe it is the same memory
		}
		now, changed := f.epoch, f.changed
		f.mu.Unlock()
		if now != epoch {
			return context.Canceled
		}
		after += uint64(len(records))
		if err := stream.Send(&topicv1.FollowResponse{Records: records, Upto: after, Epoch: epoch}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// settle waits until all that the logs hold was applied.
func (w *world) settle() {
	w.tb.Helper()
	for name, f := range map[string]*followed{"docs.people": w.identity, "docs.channels": w.chat} {
		eventually(w.tb, "applied what "+name+" tells", func() bool {
			at := map[uint32][2]uint64{}
			err := each(context.WithoutCancel(w.tb.Context()), w.db.Query, `SELECT partition, epoch, position FROM docs_cursor WHERE follower = $1`, []any{name}, func(r *sql.Rows) error {
				var p uint32
				var epoch, position uint64
				err := r.Scan(&p, &epoch, &position)
				at[p] = [2]uint64{epoch, position}
				return err
			})
			if err != nil {
				w.tb.Fatal(err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for p := range f.records {
				last := uint64(0)
				for _, r := range f.records[p] {
					if name == "docs.people" || len(r.GetAccess()) > 0 {
						last = r.GetPosition()
					}
				}
				epoch, position := at[uint32(p)][0], at[uint32(p)][1]
				if last > 0 && (epoch != f.epoch || position < last) || position > 0 && epoch != f.epoch {
					return false
				}
			}
			return true
		})
	}
}

func (w *world) tells(workspace string, e *identityv1.WorkspaceEvent) {
	w.identity.put(workspace, "identity.workspace/"+workspace, e)
}

// meets makes a person known, who is one of workspace w, or a guest there.
func (w *world) meets(kind auth.Kind, ids ...string) (all []*user) {
	for _, id := range ids {
		role := identityv1.Role_ROLE_MEMBER
		permissions := []string{mayCreate}
		if kind == auth.KindGuest {
			role, permissions = identityv1.Role_ROLE_GUEST, nil
		}
		w.tells("w", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonAdded{PersonAdded: &identityv1.PersonAdded{
			Person: &identityv1.Person{Id: id, Handle: id, Role: role, Version: 1},
		}}})
		all = append(all, w.somebody("w", id, kind, permissions...))
	}
	return all
}

func (w *world) allows(links bool, version uint64) {
	w.tells("w", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_WorkspaceChanged{WorkspaceChanged: &identityv1.WorkspaceChanged{
		Workspace: &identityv1.Workspace{Id: "w", DocumentLinks: links, Version: version},
	}}})
}

func (w *world) group(id string, members ...string) {
	w.tells("w", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupCreated{GroupCreated: &identityv1.GroupCreated{
		Group: &identityv1.Group{Id: id, Handle: id, Name: id, Members: members, Version: 1},
	}}})
}

func (w *world) regroup(id string, added, removed []string) {
	w.tells("w", &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupMembersChanged{GroupMembersChanged: &identityv1.GroupMembersChanged{
		GroupId: id, Added: added, Removed: removed, Version: 2,
	}}})
}

func access(read bool, users ...string) (list []*topicv1.Access) {
	for _, u := range users {
		list = append(list, &topicv1.Access{Principal: u, Read: read, Signal: read})
	}
	return list
}

// channel makes a channel of its creator and others.
func (w *world) channel(id, creator string, others ...string) {
	w.chat.put("w", topicChannel+id, &chatv1.ChannelEvent{Actor: creator, Event: &chatv1.ChannelEvent_Channel{Channel: &chatv1.ChannelChanged{
		Channel: &chatv1.Channel{Id: id, Name: id}, Created: true,
	}}}, access(true, creator)...)
	if len(others) > 0 {
		w.joins(id, others...)
	}
}

func (w *world) joins(channel string, users ...string) {
	m := &chatv1.MembersChanged{}
	for _, u := range users {
		m.Joined = append(m.Joined, &chatv1.Member{User: u})
	}
	w.chat.put("w", topicChannel+channel, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Members{Members: m}}, access(true, users...)...)
}

func (w *world) leaves(channel string, users ...string) {
	w.chat.put("w", topicChannel+channel, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Members{Members: &chatv1.MembersChanged{Left: users}}}, access(false, users...)...)
}

// says is a message in a channel, of which nothing is to be derived.
func (w *world) says(channel, text string) {
	w.chat.put("w", topicChannel+channel, &chatv1.ChannelEvent{Event: &chatv1.ChannelEvent_Posted{Posted: &chatv1.Message{Text: text}}})
}

func groupDeleted(id string) *identityv1.WorkspaceEvent {
	return &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupDeleted{GroupDeleted: &identityv1.GroupDeleted{GroupId: id}}}
}

func deactivated(id string, version uint64) *identityv1.WorkspaceEvent {
	return &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonDeactivated{PersonDeactivated: &identityv1.PersonDeactivated{
		Person: &identityv1.Person{Id: id, Handle: id, Role: identityv1.Role_ROLE_MEMBER, Deactivated: true, Version: version},
	}}}
}
