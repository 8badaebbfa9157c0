package identity

import (
	"context"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity/policy"
	"plenum.internal/services/identity/sqlstore"
)

// people serves everybody who is signed in.
type people struct {
	identityv1.UnimplementedPeopleServiceServer
	s *Server
}

// mutate runs an operation of the caller in the log of its workspace, under the number that the caller gave it. request is what a
// retry must repeat.
func (s *Server) mutate(ctx context.Context, request proto.Message, what operation, answer proto.Message) (auth.Caller, topic.Key, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return caller, topic.Key{}, err
	}
	key, ok := keyOf(ctx, caller)
	if !ok {
		return caller, key, errNumber
	}
	err = s.topics.Mutate(ctx, topic.Mutation{
		Workspace: caller.Workspace, Route: caller.Workspace, Key: key, Request: request, Op: op{what, clientAddress(ctx)},
	}, answer)
	s.feed.nudge()
	return caller, key, err
}

// keyOf is the number that the caller gave its mutation.
func keyOf(ctx context.Context, c auth.Caller) (topic.Key, bool) {
	client, seq, ok := rpc.MutationFrom(ctx)
	return topic.Key{User: c.User, ClientID: client, Seq: seq}, ok
}

// may returns the caller if its role, as the token says, has the permission.
func may(ctx context.Context, p policy.Permission, refusal error) (auth.Caller, error) {
	c, err := rpc.Caller(ctx)
	if err == nil && !c.May(string(p)) {
		err = refusal
	}
	return c, err
}

func (r *people) WhoAmI(ctx context.Context, _ *identityv1.WhoAmIRequest) (*identityv1.WhoAmIResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	p, err := r.s.store.Reads().Person(ctx, c.Workspace, c.User)
	if isNotFound(err) {
		return nil, errEnded
	} else if err != nil {
		return nil, err
	}
	w, err := r.s.store.Reads().Workspace(ctx, c.Workspace)
	if err != nil {
		return nil, err
	}
	return &identityv1.WhoAmIResponse{Person: personProto(p), Workspace: workspaceProto(w), Permissions: policy.Of(p.Role), DeviceId: c.Device}, nil
}

func (r *people) GetPeople(ctx context.Context, q *identityv1.GetPeopleRequest) (*identityv1.GetPeopleResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := ids("ids", q.GetIds()); err != nil {
		return nil, err
	}
	asked := q.GetIds()
	if !c.May(string(policy.Directory)) {
		if asked, err = r.met(ctx, c, asked); err != nil {
			return nil, err
		}
	}
	rows, err := r.s.store.Reads().PeopleByID(ctx, c.Workspace, asked)
	if err != nil {
		return nil, err
	}
	return &identityv1.GetPeopleResponse{People: each(rows, personProto)}, nil
}

// met leaves those people whom the caller may see without the directory: itself, and whom it meets in channels, which chat knows.
func (r *people) met(ctx context.Context, c auth.Caller, ids []string) ([]string, error) {
	var out, others []string
	for _, id := range ids {
		if id == c.User {
			out = []string{id}
		} else {
			others = append(others, id)
		}
	}
	if len(others) == 0 || r.s.chat == nil {
		return out, nil
	}
	answer, err := r.s.chat.ListMet(ctx, &chatv1.ListMetRequest{Workspace: c.Workspace, User: c.User, Others: others})
	return append(out, answer.GetMet()...), err
}

func (r *people) ListPeople(ctx context.Context, q *identityv1.ListPeopleRequest) (*identityv1.ListPeopleResponse, error) {
	c, err := may(ctx, policy.Directory, errDirectory)
	if err != nil {
		return nil, err
	}
	n, err := limit(q.GetLimit(), 200, 500)
	if err != nil {
		return nil, err
	}
	after, err := decodePage(q.GetPage(), 1)
	if err != nil {
		return nil, err
	}
	out := &identityv1.ListPeopleResponse{}
	if out.Cursor, err = r.s.cursor(ctx, c.Workspace); err != nil {
		return nil, err
	}
	rows, err := r.s.store.Reads().People(ctx, c.Workspace, after[0], n+1, q.GetDeactivated())
	if err != nil {
		return nil, err
	}
	if len(rows) > n {
		rows = rows[:n]
		out.Next = pageToken(rows[n-1].Handle)
	}
	out.People = each(rows, personProto)
	return out, nil
}

// cursor returns the head of the workspace's log, to be read before what a client keeps current by it.
func (s *Server) cursor(ctx context.Context, workspace string) (*edgev1.Cursor, error) {
	states, err := s.topics.States(ctx, workspace, workspaceTopic(workspace))
	if err != nil {
		return nil, err
	}
	return states[0].Cursor(), nil
}

func (r *people) ListGroups(ctx context.Context, q *identityv1.ListGroupsRequest) (*identityv1.ListGroupsResponse, error) {
	c, err := may(ctx, policy.Directory, errDirectory)
	if err != nil {
		return nil, err
	}
	n, err := limit(q.GetLimit(), 20, 50)
	if err != nil {
		return nil, err
	}
	after, err := decodePage(q.GetPage(), 1)
	if err != nil {
		return nil, err
	}
	out := &identityv1.ListGroupsResponse{}
	if out.Cursor, err = r.s.cursor(ctx, c.Workspace); err != nil {
		return nil, err
	}
	rows, err := r.s.store.Reads().Groups(ctx, c.Workspace, after[0], n+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > n {
		rows = rows[:n]
		out.Next = pageToken(rows[n-1].Handle)
	}
	for _, g := range rows {
		members, err := r.s.store.Reads().Members(ctx, c.Workspace, g.ID)
		if err != nil {
			return nil, err
		}
		out.Groups = append(out.Groups, groupProto(g, members))
	}
	return out, nil
}

func (r *people) UpdateProfile(ctx context.Context, q *identityv1.UpdateProfileRequest) (*identityv1.UpdateProfileResponse, error) {
	u := &updateProfile{displayName: q.DisplayName, title: q.Title}
	if q.Handle != nil {
		h, err := handle(q.GetHandle())
		if err != nil {
			return nil, err
		}
		u.handle = &h
	}
	if q.DisplayName != nil {
		name, err := text("display_name", q.GetDisplayName(), "")
		if err == nil && name == "" {
			err = invalid("display_name", "Give a name.")
		}
		if err != nil {
			return nil, err
		}
		u.displayName = &name
	}
	if q.Title != nil {
		title, err := text("title", q.GetTitle(), "")
		if err != nil {
			return nil, err
		}
		u.title = &title
	}
	c, _, err := r.s.mutate(ctx, q, u, nil)
	if err != nil {
		return nil, err
	}
	p, err := r.s.store.Reads().Person(ctx, c.Workspace, c.User)
	if err != nil {
		return nil, err
	}
	return &identityv1.UpdateProfileResponse{Person: personProto(p)}, nil
}

func (r *people) ChangePassword(ctx context.Context, q *identityv1.ChangePasswordRequest) (*identityv1.ChangePasswordResponse, error) {
	if err := r.s.changePassword(ctx, q); err != nil {
		return nil, err
	}
	return &identityv1.ChangePasswordResponse{}, nil
}

// changePassword checks the current password outside of the transaction. The digest of the request covers neither password: a
// digest is quick to compute, and would be quick to guess against.
func (s *Server) changePassword(ctx context.Context, q *identityv1.ChangePasswordRequest) error {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return err
	}
	p, err := s.store.Reads().Person(ctx, c.Workspace, c.User)
	if isNotFound(err) {
		return errEnded
	} else if err != nil {
		return err
	}
	place, err := s.passwords.Enter(sender(ctx))
	if err != nil {
		return hashing(err)
	}
	defer place.Leave()
	try, err := s.attempt(ctx, account("password "+p.ID, ""))
	if err != nil {
		return err
	}
	change := &changePassword{device: c.Device}
	if change.verified, _, err = s.verify(ctx, place, p.Password, q.GetCurrent()); err == nil && change.verified {
		change.password, err = s.passwords.Hash(ctx, sender(ctx), q.GetPassword())
	}
	if err != nil {
		_ = try.forgive(ctx)
		return hashing(err)
	}
	change.was = p.Password
	_, _, err = s.mutate(ctx, &identityv1.ChangePasswordRequest{}, change, nil)
	if rpc.FromError(err).GetReason() == errPassword.Reason {
		return s.failed(ctx, c.Workspace, "password.refused", p.Pseudonym, err)
	}
	if e := try.forgive(ctx); e != nil {
		s.log.WarnContext(ctx, "a right password stays counted as a failure", "error", e)
	}
	return err
}

func (r *people) ListDevices(ctx context.Context, _ *identityv1.ListDevicesRequest) (*identityv1.ListDevicesResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := r.s.store.Reads().Devices(ctx, c.Workspace, c.User, maxDevices)
	if err != nil {
		return nil, err
	}
	return &identityv1.ListDevicesResponse{Devices: each(rows, func(d sqlstore.Device) *identityv1.Device { return deviceProto(d, c.Device) })}, nil
}

func (r *people) RevokeDevice(ctx context.Context, q *identityv1.RevokeDeviceRequest) (*identityv1.RevokeDeviceResponse, error) {
	if _, _, err := r.s.mutate(ctx, q, &revokeDevice{q.GetDeviceId(), q.GetWipe()}, nil); err != nil {
		return nil, err
	}
	return &identityv1.RevokeDeviceResponse{}, nil
}

// ids checks a list of ids in a request.
func ids(field string, list []string) error {
	if len(list) > maxAtOnce {
		return invalid(field, "Ask for at most %d at once.", maxAtOnce)
	}
	for _, id := range list {
		if !isID(id) {
			return invalid(field, "This is no id.")
		}
	}
	return nil
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// opener authorises subscriptions.
type opener struct{ s *Server }

// Open grants the log of the caller's own workspace, under its id or as "me", to those who may see the directory.
//
// Invariant: the head is read before the role, and the role from SQL, not from the token: a role that changes in between has its
// Access record behind the head, where the hub sees it.
func (o opener) Open(ctx context.Context, c auth.Caller, wants []*edgev1.Want) ([]*topicv1.Grant, error) {
	name := workspaceTopic(c.Workspace)
	states, err := o.s.topics.States(ctx, c.Workspace, name)
	if err != nil {
		return nil, err
	}
	p, err := o.s.store.Reads().Person(ctx, c.Workspace, c.User)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	grants := make([]*topicv1.Grant, len(wants))
	for i, w := range wants {
		g := &topicv1.Grant{Topic: w.GetTopic()}
		switch {
		case w.GetTopic() != name && w.GetTopic() != workspaceKind+"/me":
			g.Error = rpc.FromError(errTopic)
		case p.DeactivatedMs != 0 || !policy.May(p.Role, policy.Directory):
			g.Error = rpc.FromError(errDirectory)
		default:
			g.Head, g.Floor = states[0].Cursor(), states[0].Start()
			if w.GetMode() == edgev1.Mode_MODE_HEADS {
				g.Members = []*edgev1.Head{states[0].Head()}
			}
			if w.GetTopic() != name {
				g.Canonical = name
			}
		}
		grants[i] = g
	}
	return grants, nil
}
