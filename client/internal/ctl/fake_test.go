package ctl

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// fake is as much of a Plenum server as the commands need: what they print is tested here, what servers do is tested there.
type fake struct {
	identityv1.UnimplementedSessionServiceServer
	identityv1.UnimplementedPeopleServiceServer
	identityv1.UnimplementedAdminServiceServer
	chatv1.UnimplementedChatServiceServer

	methods map[string]func(ctx context.Context, body []byte) (proto.Message, error)

	docs     *fakeDocs
	presence *fakePresence

	mu       sync.Mutex
	down     bool // answers 503; guarded by mu, as is all below
	full     bool // saves nothing
	people   []*identityv1.Person
	groups   []*identityv1.Group
	channels []*chatv1.Channel
	messages []*chatv1.Message
	mine     *chatv1.Mine // everybody's part of every channel
	keys     map[string]*chatv1.SendResponse
	wiped    bool
	lossy    bool   // does what it is asked to, and breaks the connection in place of an answer
	reset    string // client that has used the link of a new password
}

func newFake() *fake {
	f := &fake{docs: &fakeDocs{}, presence: &fakePresence{chosen: map[string]*presencev1.SetStatusRequest{}}, methods: map[string]func(context.Context, []byte) (proto.Message, error){}, keys: map[string]*chatv1.SendResponse{},
		groups: []*identityv1.Group{{Id: "g1", Handle: "team", Name: "The team"}},
		mine:   &chatv1.Mine{Marker: &chatv1.Marker{}, Unread: 2, Mentions: 1}}
	for _, desc := range []grpc.ServiceDesc{identityv1.SessionService_ServiceDesc, identityv1.PeopleService_ServiceDesc, identityv1.AdminService_ServiceDesc, chatv1.ChatService_ServiceDesc, docsv1.DocsService_ServiceDesc, presencev1.PresenceService_ServiceDesc} {
		var server any = f
		switch desc.ServiceName {
		case docsv1.DocsService_ServiceDesc.ServiceName:
			server = f.docs
		case presencev1.PresenceService_ServiceDesc.ServiceName:
			server = f.presence
		}
		for _, m := range desc.Methods {
			f.methods[desc.ServiceName+"/"+m.MethodName] = func(ctx context.Context, body []byte) (proto.Message, error) {
				out, err := m.Handler(server, ctx, func(in any) error { return proto.Unmarshal(body, in.(proto.Message)) }, nil)
				if err != nil {
					return nil, err
				}
				return out.(proto.Message), nil
			}
		}
	}
	return f
}

type caller struct{ token, key string }

func callerOf(ctx context.Context) caller { c, _ := ctx.Value(caller{}).(caller); return c }

func (f *fake) call(ctx context.Context, method, token, key string, body []byte) (proto.Message, *edgev1.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	handler := f.methods[method]
	if handler == nil {
		return nil, &edgev1.Error{Code: edgev1.Code_CODE_NOT_FOUND}
	}
	out, err := handler(context.WithValue(ctx, caller{}, caller{token, key}), body)
	if e, ok := errors.AsType[*client.Error](err); ok {
		return nil, &edgev1.Error{Code: e.Code, Reason: e.Reason, Message: e.Message, RetryAfterMs: uint32(e.RetryAfter.Milliseconds())}
	}
	if err != nil {
		return nil, &edgev1.Error{Code: edgev1.Code_CODE_INTERNAL, Message: err.Error()}
	}
	return out, nil
}

func (f *fake) isDown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.isDown():
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == client.EdgePath:
		f.edge(w, r)
	default:
		body, _ := io.ReadAll(r.Body)
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		out, e := f.call(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), token, r.Header.Get("Plenum-Client-Id")+"/"+r.Header.Get("Plenum-Client-Seq"), body)
		f.mu.Lock()
		lost := f.lossy && !strings.HasSuffix(r.URL.Path, "DescribeLink")
		f.mu.Unlock()
		if lost {
			panic(http.ErrAbortHandler)
		}
		if e != nil {
			detail, _ := proto.Marshal(e)
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]any{"details": []any{map[string]string{"type": "plenum.edge.v1.Error", "value": base64.RawStdEncoding.EncodeToString(detail)}}})
			return
		}
		data, _ := proto.Marshal(out)
		_, _ = w.Write(data)
	}
}

// edge serves one WebSocket. A topic replays what is there, and ends: the commands that follow it end, too.
func (f *fake) edge(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"plenum.v1.proto"}})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	send := func(frames ...*edgev1.ServerFrame) {
		data, _ := proto.Marshal(&edgev1.ServerMessage{Frames: frames})
		_ = ws.Write(r.Context(), websocket.MessageBinary, data)
	}
	var hello *edgev1.Hello
	for {
		_, data, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		var m edgev1.ClientMessage
		_ = proto.Unmarshal(data, &m)
		for _, frame := range m.GetFrames() {
			switch v := frame.GetFrame().(type) {
			case *edgev1.ClientFrame_Hello:
				hello = v.Hello
				send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Welcome{Welcome: &edgev1.Welcome{TokenTtlMs: 600_000}}})
			case *edgev1.ClientFrame_Call:
				reply := &edgev1.Reply{Id: v.Call.GetId()}
				out, e := f.call(r.Context(), v.Call.GetMethod(), hello.GetToken(), hello.GetClientId()+"/"+string(rune(v.Call.GetClientSeq())), v.Call.GetBody())
				if e != nil {
					reply.Result = &edgev1.Reply_Error{Error: e}
				} else {
					data, _ := proto.Marshal(out)
					reply.Result = &edgev1.Reply_Body{Body: data}
				}
				send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: reply}})
			case *edgev1.ClientFrame_Subscribe:
				want := v.Subscribe.GetWants()[0]
				if strings.HasPrefix(want.GetTopic(), "docs.document/") {
					f.mu.Lock()
					news := f.docs.follow(want.GetTopic(), want.GetCursor().GetOffset())
					f.mu.Unlock()
					send(append([]*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: v.Subscribe.GetId(), Subscriptions: []*edgev1.Subscription{
						{Topic: want.GetTopic(), Start: want.GetCursor()}}}}}}, news...)...)
					continue
				}
				if (strings.HasPrefix(want.GetTopic(), "presence.") || strings.HasPrefix(want.GetTopic(), "docs.awareness/")) && hello.GetIdleS() < 365*24*3600 {
					send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: &edgev1.Error{Code: edgev1.Code_CODE_MALFORMED, Message: "Who only looks is seen as here."}}}})
				}
				if strings.HasPrefix(want.GetTopic(), "presence.") {
					for _, want := range v.Subscribe.GetWants() {
						f.mu.Lock()
						news := f.presence.view(want, f.people)
						f.mu.Unlock()
						send(append([]*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: v.Subscribe.GetId(), Subscriptions: []*edgev1.Subscription{
							{Topic: want.GetTopic()}}}}}}, news...)...)
					}
					continue
				}
				send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Subscribed{Subscribed: &edgev1.Subscribed{Id: v.Subscribe.GetId(), Subscriptions: []*edgev1.Subscription{
					{Topic: want.GetTopic(), Start: want.GetCursor()}}}}})
				if strings.HasPrefix(want.GetTopic(), "docs.awareness/") {
					send(f.docs.awareness(want.GetTopic())...)
					continue
				}
				send(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: want.GetTopic(), Events: f.events(want.GetCursor().GetOffset())}}},
					&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{want.GetTopic()},
						Error: &edgev1.Error{Code: edgev1.Code_CODE_REVOKED, Message: "You are no longer a member."}}}})
			}
		}
	}
}

// events is what comes after an offset: a message, its edit, a reaction, and its deletion.
func (f *fake) events(after uint64) (out []*edgev1.Event) {
	for i, e := range []*chatv1.ChannelEvent{
		{Actor: "u-bob", Event: &chatv1.ChannelEvent_Posted{Posted: &chatv1.Message{Text: "live \x1b[31mred\x1b[0m\n    7  forged"}}},
		{Actor: "u-bob", Event: &chatv1.ChannelEvent_Edited{Edited: &chatv1.MessageEdited{Offset: after + 1, Text: "changed"}}},
		{Actor: "u-ada", Event: &chatv1.ChannelEvent_Reaction{Reaction: &chatv1.ReactionChanged{Offset: after + 1, Emoji: "👍"}}},
		{Actor: "u-bob", Event: &chatv1.ChannelEvent_Deleted{Deleted: &chatv1.MessageDeleted{Offset: after + 1}}},
	} {
		body, _ := proto.Marshal(e)
		out = append(out, &edgev1.Event{Offset: after + uint64(i) + 1, Body: body, TimeMs: at(after + uint64(i) + 1)})
	}
	return out
}

// at is the time of an offset: a minute each.
func at(offset uint64) int64 { return int64(offset) * 60_000 }

func refuse(code edgev1.Code, reason, message string) error {
	return &client.Error{Code: code, Reason: reason, Message: message}
}

func (f *fake) admit(handle, name, password string, role identityv1.Role) (*identityv1.Session, error) {
	if len(password) < 10 {
		return nil, refuse(edgev1.Code_CODE_INVALID_ARGUMENT, "identity.PASSWORD", "Choose a password of at least 10 characters.")
	}
	if slices.ContainsFunc(f.people, func(p *identityv1.Person) bool { return p.GetHandle() == handle }) {
		return nil, refuse(edgev1.Code_CODE_CONFLICT, "identity.HANDLE_TAKEN", "This handle is taken.")
	}
	p := &identityv1.Person{Id: "u-" + handle, Handle: handle, DisplayName: name, Role: role}
	f.people = append(f.people, p)
	return f.session(p), nil
}

func (f *fake) session(p *identityv1.Person) *identityv1.Session {
	return &identityv1.Session{AccessToken: p.GetHandle(), AccessTtlMs: 600_000, RefreshToken: "r", RefreshTtlMs: 3_600_000, Person: p,
		Workspace: &identityv1.Workspace{Name: "Acme", Slug: "acme"}}
}

func (f *fake) me(ctx context.Context) (*identityv1.Person, error) {
	if f.wiped {
		return nil, refuse(edgev1.Code_CODE_SESSION_REVOKED, "identity.WIPE", "This device was signed out.")
	}
	for _, p := range f.people {
		if p.GetHandle() == callerOf(ctx).token {
			return p, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_TOKEN_REFUSED, "", "Sign in again.")
}

func (f *fake) SetUp(_ context.Context, q *identityv1.SetUpRequest) (*identityv1.SetUpResponse, error) {
	s, err := f.admit(q.GetHandle(), q.GetDisplayName(), q.GetPassword(), identityv1.Role_ROLE_OWNER)
	return &identityv1.SetUpResponse{Session: s}, err
}

func (f *fake) Join(_ context.Context, q *identityv1.JoinRequest) (*identityv1.JoinResponse, error) {
	role := identityv1.Role_ROLE_MEMBER
	if q.GetHandle() == "guest" {
		role = identityv1.Role_ROLE_GUEST
	}
	s, err := f.admit(q.GetHandle(), q.GetDisplayName(), q.GetPassword(), role)
	return &identityv1.JoinResponse{Session: s}, err
}

func (f *fake) DescribeLink(_ context.Context, q *identityv1.DescribeLinkRequest) (*identityv1.DescribeLinkResponse, error) {
	if f.reset != "" && f.reset != q.GetClientId() {
		return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "identity.LINK", "This link is not valid (any more). Ask for a new one.")
	}
	return &identityv1.DescribeLinkResponse{Link: &identityv1.DescribeLinkResponse_Reset_{Reset_: &identityv1.ResetLink{
		WorkspaceSlug: "acme", WorkspaceName: "Acme", Handle: "ada",
	}}}, nil
}

func (f *fake) UseReset(_ context.Context, q *identityv1.UseResetRequest) (*identityv1.UseResetResponse, error) {
	f.reset = q.GetClient().GetClientId()
	return &identityv1.UseResetResponse{Session: f.session(&identityv1.Person{Id: "u-ada", Handle: "ada"})}, nil
}

func (f *fake) SignIn(_ context.Context, q *identityv1.SignInRequest) (*identityv1.SignInResponse, error) {
	for _, p := range f.people {
		if p.GetHandle() == q.GetHandle() {
			return &identityv1.SignInResponse{Session: f.session(p)}, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_PERMISSION_DENIED, "identity.SIGN_IN", "Workspace, handle or password is wrong.")
}

func (f *fake) SignOut(context.Context, *identityv1.SignOutRequest) (*identityv1.SignOutResponse, error) {
	return &identityv1.SignOutResponse{}, nil
}

func (f *fake) WhoAmI(ctx context.Context, _ *identityv1.WhoAmIRequest) (*identityv1.WhoAmIResponse, error) {
	p, err := f.me(ctx)
	return &identityv1.WhoAmIResponse{Person: p, Workspace: &identityv1.Workspace{Name: "Acme", Slug: "acme"}, Permissions: []string{"chat.post"}}, err
}

func (f *fake) ListPeople(ctx context.Context, _ *identityv1.ListPeopleRequest) (*identityv1.ListPeopleResponse, error) {
	me, err := f.me(ctx)
	if me.GetRole() == identityv1.Role_ROLE_GUEST {
		err = refuse(edgev1.Code_CODE_PERMISSION_DENIED, "identity.DIRECTORY", "Guests see only the people they meet.")
	}
	return &identityv1.ListPeopleResponse{People: f.people}, err
}

func (f *fake) GetPeople(_ context.Context, q *identityv1.GetPeopleRequest) (*identityv1.GetPeopleResponse, error) {
	res := &identityv1.GetPeopleResponse{}
	for _, p := range f.people {
		if slices.Contains(q.GetIds(), p.GetId()) {
			res.People = append(res.People, p)
		}
	}
	return res, nil
}

func (f *fake) ListMembers(context.Context, *chatv1.ListMembersRequest) (*chatv1.ListMembersResponse, error) {
	res := &chatv1.ListMembersResponse{}
	for _, p := range f.people {
		res.Members = append(res.Members, &chatv1.Member{User: p.GetId(), Role: chatv1.ChannelRole_CHANNEL_ROLE_MEMBER})
	}
	return res, nil
}

func (f *fake) ListGroups(context.Context, *identityv1.ListGroupsRequest) (*identityv1.ListGroupsResponse, error) {
	return &identityv1.ListGroupsResponse{Groups: f.groups}, nil
}

func (f *fake) CreateGroup(_ context.Context, q *identityv1.CreateGroupRequest) (*identityv1.CreateGroupResponse, error) {
	g := &identityv1.Group{Id: "g" + string(rune('1'+len(f.groups))), Handle: q.GetHandle(), Name: cmp.Or(q.GetName(), q.GetHandle()), Members: q.GetMembers()}
	f.groups = append(f.groups, g)
	return &identityv1.CreateGroupResponse{Group: g}, nil
}

func (f *fake) ChangeGroupMembers(_ context.Context, q *identityv1.ChangeGroupMembersRequest) (*identityv1.ChangeGroupMembersResponse, error) {
	for _, g := range f.groups {
		if g.GetId() == q.GetGroupId() {
			g.Members = slices.DeleteFunc(append(g.GetMembers(), q.GetAdd()...), func(id string) bool { return slices.Contains(q.GetRemove(), id) })
		}
	}
	return &identityv1.ChangeGroupMembersResponse{Version: 2}, nil
}

func (f *fake) DeleteGroup(_ context.Context, q *identityv1.DeleteGroupRequest) (*identityv1.DeleteGroupResponse, error) {
	f.groups = slices.DeleteFunc(f.groups, func(g *identityv1.Group) bool { return g.GetId() == q.GetGroupId() })
	return &identityv1.DeleteGroupResponse{}, nil
}

func (f *fake) UpdateWorkspace(_ context.Context, q *identityv1.UpdateWorkspaceRequest) (*identityv1.UpdateWorkspaceResponse, error) {
	if q.DocumentLinks != nil {
		f.docs.links = q.GetDocumentLinks()
	}
	return &identityv1.UpdateWorkspaceResponse{Workspace: &identityv1.Workspace{
		Name: cmp.Or(q.GetName(), "Acme"), Slug: "acme", DocumentLinks: f.docs.links,
		CollaborationScore: q.GetCollaborationScore(), PresenceRecords: q.GetPresenceRecords(), TimeZone: q.GetTimeZone(),
	}}, nil
}

func (f *fake) Invite(context.Context, *identityv1.InviteRequest) (*identityv1.InviteResponse, error) {
	return &identityv1.InviteResponse{Secret: "s3cret"}, nil
}

func (f *fake) ChangeRole(_ context.Context, q *identityv1.ChangeRoleRequest) (*identityv1.ChangeRoleResponse, error) {
	for _, p := range f.people {
		if p.GetId() == q.GetUserId() {
			p.Role = q.GetRole()
			return &identityv1.ChangeRoleResponse{Person: p}, nil
		}
	}
	return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "", "")
}

func (f *fake) Seed(_ context.Context, q *identityv1.SeedRequest) (*identityv1.SeedResponse, error) {
	res := &identityv1.SeedResponse{}
	for _, a := range q.GetAccounts() {
		made, err := f.admit(a.GetHandle(), a.GetHandle(), "no password", identityv1.Role_ROLE_MEMBER)
		if err != nil {
			return nil, err
		}
		res.Sessions = append(res.Sessions, made)
	}
	return res, nil
}

func (f *fake) RevokeDevices(context.Context, *identityv1.RevokeDevicesRequest) (*identityv1.RevokeDevicesResponse, error) {
	return &identityv1.RevokeDevicesResponse{}, nil
}

func (f *fake) VerifyAudit(_ context.Context, q *identityv1.VerifyAuditRequest) (*identityv1.VerifyAuditResponse, error) {
	if q.GetKnownSeq() == 9 {
		return &identityv1.VerifyAuditResponse{BrokenSeq: 9, Problem: "another hash"}, nil
	}
	return &identityv1.VerifyAuditResponse{Intact: true, Entries: 3, HeadSeq: 3, HeadHash: []byte{0xab, 0xcd}}, nil
}

func (f *fake) CreateChannel(ctx context.Context, q *chatv1.CreateChannelRequest) (*chatv1.CreateChannelResponse, error) {
	c := &chatv1.Channel{Id: "c-" + q.GetName(), Name: q.GetName(), Topic: q.GetTopic(), Kind: q.GetKind(), Members: 1}
	f.channels = append(f.channels, c)
	return &chatv1.CreateChannelResponse{Channel: c.GetId()}, nil
}

func (f *fake) JoinChannel(context.Context, *chatv1.JoinChannelRequest) (*chatv1.JoinChannelResponse, error) {
	return &chatv1.JoinChannelResponse{}, nil
}

func (f *fake) ListMyChannels(context.Context, *chatv1.ListMyChannelsRequest) (*chatv1.ListMyChannelsResponse, error) {
	var mine []*chatv1.MyChannel
	for _, c := range f.channels {
		mine = append(mine, &chatv1.MyChannel{Channel: c, Mine: f.mine})
	}
	return &chatv1.ListMyChannelsResponse{Channels: mine}, nil
}

func (f *fake) BrowseChannels(context.Context, *chatv1.BrowseChannelsRequest) (*chatv1.BrowseChannelsResponse, error) {
	return &chatv1.BrowseChannelsResponse{Channels: f.channels}, nil
}

func (f *fake) Send(ctx context.Context, q *chatv1.SendRequest) (*chatv1.SendResponse, error) {
	if !slices.ContainsFunc(f.channels, func(c *chatv1.Channel) bool { return c.GetId() == q.GetChannel() }) {
		return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "chat.CHANNEL", "There is no such channel.")
	}
	if f.full {
		return nil, refuse(edgev1.Code_CODE_UNAVAILABLE, "topic.DISK_FULL", "Nothing can be saved: the server's disk is full.")
	}
	if q.GetText() == "bad" {
		return nil, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "chat.ARCHIVED", "The channel is archived.")
	}
	key := callerOf(ctx).key
	if f.keys[key] == nil {
		offset := uint64(len(f.messages) + 1)
		f.messages = append(f.messages, &chatv1.Message{Offset: offset, TimeMs: at(offset), Author: "u-" + callerOf(ctx).token, Text: q.GetText(), Root: q.GetRoot()})
		f.keys[key] = &chatv1.SendResponse{Offset: offset}
	}
	return f.keys[key], nil
}

func (f *fake) History(context.Context, *chatv1.HistoryRequest) (*chatv1.HistoryResponse, error) {
	return &chatv1.HistoryResponse{Messages: f.messages, Cursor: &edgev1.Cursor{Epoch: 1, Offset: uint64(len(f.messages))}}, nil
}
