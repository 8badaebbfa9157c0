package identity

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/topic"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/sqlstore"
)

// sessions serves those who have no token yet.
type sessions struct {
	identityv1.UnimplementedSessionServiceServer
	s *Server
}

func (r *sessions) DescribeLink(ctx context.Context, q *identityv1.DescribeLinkRequest) (*identityv1.DescribeLinkResponse, error) {
	return r.s.describeLink(ctx, q.GetSecret(), q.GetClientId())
}

// describeLink tells what a link is for, to its finder as long as it can be used, and to the client that has used it.
func (s *Server) describeLink(ctx context.Context, secret, client string) (*identityv1.DescribeLinkResponse, error) {
	var (
		l     sqlstore.Link
		reset sqlstore.Reset
	)
	if err := s.bySecret(ctx, func() (err error) {
		if l, err = s.store.Reads().LinkBySecret(ctx, sqlstore.Hash(secret)); isNotFound(err) {
			reset, err = s.store.Reads().ResetBySecret(ctx, sqlstore.Hash(secret))
		}
		return err
	}); err != nil {
		return nil, err
	}
	if reset.Person != "" {
		return s.describeReset(ctx, reset, client)
	}
	if good, err := s.describable(ctx, l, client); err != nil {
		return nil, err
	} else if !good {
		return nil, errLink
	}
	if l.Workspace == "" {
		return &identityv1.DescribeLinkResponse{Link: &identityv1.DescribeLinkResponse_Setup{Setup: &identityv1.SetupLink{}}}, nil
	}
	w, err := s.store.Reads().Workspace(ctx, l.Workspace)
	if err != nil {
		return nil, err
	}
	by, err := s.store.Reads().Person(ctx, l.Workspace, l.CreatedBy)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	return &identityv1.DescribeLinkResponse{Link: &identityv1.DescribeLinkResponse_Invitation{Invitation: &identityv1.InvitationLink{
		WorkspaceSlug: w.Slug, WorkspaceName: w.Name, InvitedBy: by.DisplayName, Role: l.Role, ExpiresMs: l.ExpiresMs,
	}}}, nil
}

// describable reports whether a link may be followed, or a client has made an account by it: the client of one of its devices.
func (s *Server) describable(ctx context.Context, l sqlstore.Link, client string) (bool, error) {
	if usable(l, time.Now().UnixMilli()) {
		return mayStillInvite(ctx, s.store.Reads(), l)
	}
	if l.UsedBy == "" || client == "" {
		return false, nil
	}
	workspace := l.Workspace
	if workspace == "" {
		workspace = s.madeBy(l)
	}
	_, err := s.store.Reads().DeviceOfClient(ctx, workspace, l.UsedBy, sqlstore.Hash(client))
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// madeBy is the id of the workspace that a link makes: the same whenever it is tried, so that a retry finds its first answer.
func (s *Server) madeBy(l sqlstore.Link) string { return sqlstore.ID(s.ring.Derive("workspace", l.ID)) }

// link finds a link by its secret, used or not.
func (s *Server) link(ctx context.Context, secret string) (l sqlstore.Link, err error) {
	err = s.bySecret(ctx, func() (err error) {
		l, err = s.store.Reads().LinkBySecret(ctx, sqlstore.Hash(secret))
		return err
	})
	return l, err
}

// bySecret looks something up by its secret. One that finds nothing counts against the caller's address.
func (s *Server) bySecret(ctx context.Context, find func() error) error {
	try, err := s.attempt(ctx, "")
	if err != nil {
		return err
	}
	if err = find(); isNotFound(err) {
		return errLink
	}
	s.addresses.Return(try.address)
	return err
}

func (r *sessions) SetUp(ctx context.Context, q *identityv1.SetUpRequest) (*identityv1.SetUpResponse, error) {
	short, err := slug(q.GetWorkspaceSlug())
	if err != nil {
		return nil, err
	}
	name, err := text("workspace_name", q.GetWorkspaceName(), short)
	if err != nil {
		return nil, err
	}
	seen := proto.CloneOf(q)
	seen.Secret, seen.Password = "", ""
	session, err := r.s.follows(ctx, q, seen, func(l sqlstore.Link, j *join) (string, error) {
		if l.Workspace != "" {
			return "", errLink
		}
		id := r.s.madeBy(l)
		j.create = &sqlstore.Workspace{ID: id, Slug: short, Name: name}
		return id, nil
	})
	if err != nil {
		return nil, err
	}
	r.s.disarm()
	return &identityv1.SetUpResponse{Session: session}, nil
}

func (r *sessions) Join(ctx context.Context, q *identityv1.JoinRequest) (*identityv1.JoinResponse, error) {
	seen := proto.CloneOf(q)
	seen.Secret, seen.Password = "", ""
	session, err := r.s.follows(ctx, q, seen, func(l sqlstore.Link, _ *join) (string, error) {
		if l.Workspace == "" {
			return "", errLink
		}
		return l.Workspace, nil
	})
	if err != nil {
		return nil, err
	}
	return &identityv1.JoinResponse{Session: session}, nil
}

// joiner is what set-up and joining have in common.
type joiner interface {
	GetSecret() string
	GetHandle() string
	GetDisplayName() string
	GetPassword() string
	GetClient() *identityv1.Client
}

// follows follows a link: it makes the account, and signs its client in. seen is the request without its secrets: what a retry must
// repeat. The link and the client are the key of the mutation, so a retry by the same client gets a session again; it must know the
// password, too, for the first answer may be old.
func (s *Server) follows(ctx context.Context, q joiner, seen proto.Message, where func(sqlstore.Link, *join) (workspace string, err error)) (*identityv1.Session, error) {
	c, err := client(q.GetClient())
	if err != nil {
		return nil, err
	}
	j := &join{}
	if j.handle, err = handle(q.GetHandle()); err != nil {
		return nil, err
	}
	if j.displayName, err = text("display_name", q.GetDisplayName(), j.handle); err != nil {
		return nil, err
	}
	l, err := s.link(ctx, q.GetSecret())
	if err != nil {
		return nil, err
	}
	j.link, j.role = l.ID, l.Role
	workspace, err := where(l, j)
	if err != nil {
		return nil, err
	}
	if j.password, err = s.passwords.Hash(ctx, sender(ctx), q.GetPassword()); err != nil {
		return nil, hashing(err)
	}
	answer := &identityv1.JoinResponse{}
	if err := s.topics.Mutate(ctx, topic.Mutation{
		Workspace: workspace, Route: workspace, Key: topic.Key{User: l.ID, ClientID: sqlstore.Hash(c.GetClientId()), Seq: 1},
		Request: seen, Op: op{j, clientAddress(ctx)},
	}, answer); err != nil {
		return nil, err
	}
	p, err := s.store.Reads().Person(ctx, workspace, answer.GetSession().GetPerson().GetId())
	if err != nil {
		return nil, err
	}
	if p.Password != j.password { // a retry
		return s.signIn(ctx, "link "+l.ID, p, c, q.GetPassword())
	}
	return s.enter(ctx, workspace, p.ID, c, func(sqlstore.Tx, *marks, *sqlstore.Person) error { return nil })
}

func (r *sessions) SignIn(ctx context.Context, q *identityv1.SignInRequest) (*identityv1.SignInResponse, error) {
	c, err := client(q.GetClient())
	if err != nil {
		return nil, err
	}
	session, err := r.s.signInBy(ctx, q, c)
	if err != nil {
		return nil, err
	}
	return &identityv1.SignInResponse{Session: session}, nil
}

// signInBy finds the account; one that doesn't exist costs what a real one does.
func (s *Server) signInBy(ctx context.Context, q *identityv1.SignInRequest, c *identityv1.Client) (*identityv1.Session, error) {
	slug, handle := storable(q.GetWorkspaceSlug()), storable(q.GetHandle())
	w, err := s.workspaceBySlug(ctx, slug)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	p, err := s.store.Reads().PersonByHandle(ctx, w.ID, handle)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	p.Workspace = w.ID
	return s.signIn(ctx, slug+"/"+handle, p, c, q.GetPassword())
}

func (s *Server) workspaceBySlug(ctx context.Context, slug string) (sqlstore.Workspace, error) {
	return s.store.Reads().WorkspaceBySlug(ctx, storable(slug))
}

func (r *sessions) Refresh(ctx context.Context, q *identityv1.RefreshRequest) (*identityv1.RefreshResponse, error) {
	session, err := r.s.refresh(ctx, q.GetRefreshToken(), q.GetClientId())
	if err != nil {
		return nil, err
	}
	return &identityv1.RefreshResponse{Session: session}, nil
}

func (r *sessions) SignOut(ctx context.Context, q *identityv1.SignOutRequest) (*identityv1.SignOutResponse, error) {
	if err := r.s.signOut(ctx, q.GetRefreshToken()); err != nil {
		return nil, err
	}
	return &identityv1.SignOutResponse{}, nil
}

func (r *sessions) ExchangeSecret(ctx context.Context, q *identityv1.ExchangeSecretRequest) (*identityv1.ExchangeSecretResponse, error) {
	session, err := r.s.exchange(ctx, q.GetSecret())
	if err != nil {
		return nil, err
	}
	return &identityv1.ExchangeSecretResponse{Session: session}, nil
}
