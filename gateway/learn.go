package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/mesh/registry"
)

const (
	learnTimeout = 5 * time.Second
	learnRetry   = time.Second
)

// learner keeps the catalog up to date with the services that are there.
type learner struct {
	g       *Gateway
	current atomic.Pointer[catalog.Catalog]
	known   map[string]learned // by service; of Run alone
	ready   chan struct{}
}

// learned is what one service offers, and for which schemas of its nodes that was read.
type learned struct {
	schemas string
	service catalog.Service
}

func newLearner(g *Gateway) *learner {
	l := &learner{g: g, known: map[string]learned{}, ready: make(chan struct{})}
	empty, _ := catalog.Build()
	l.current.Store(empty)
	return l
}

// run follows the services until ctx ends. It is ready when each one that was there at the start was learned once.
func (l *learner) run(ctx context.Context) {
	var before []registry.Node
	for first := true; ; {
		nodes, changed := l.g.deps.Services.Watch()
		l.g.left(before, nodes)
		before = nodes
		complete := l.learn(ctx, nodes)
		if complete && first && len(nodes) > 0 && l.knows(l.g.cfg.Services) {
			close(l.ready)
			first = false
		}
		var retry <-chan time.Time
		if !complete {
			retry = time.After(learnRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-retry:
		}
	}
}

func (l *learner) knows(services []string) bool {
	return !slices.ContainsFunc(services, func(name string) bool { _, ok := l.known[name]; return !ok })
}

// learn asks the services whose nodes' schemas changed, and reports whether it knows all.
func (l *learner) learn(ctx context.Context, nodes []registry.Node) (complete bool) {
	schemas := map[string][]string{}
	for _, n := range nodes {
		schemas[n.Service] = append(schemas[n.Service], n.Schema)
	}
	complete, news := true, false
	for service, s := range schemas {
		slices.Sort(s)
		hash := strings.Join(slices.Compact(s), " ")
		if k, ok := l.known[service]; ok && k.schemas == hash {
			continue
		}
		found, err := describe(ctx, service, l.g.deps.Services.All(service))
		if err != nil {
			complete = false
			l.g.log.WarnContext(ctx, "can't learn what a service offers", "service", service, "error", err)
			continue
		}
		news = news || l.known[service].service.Hash() != found.Hash()
		l.known[service] = learned{hash, found}
	}
	if !news {
		return complete
	}
	all := make([]catalog.Service, 0, len(l.known))
	for _, k := range l.known {
		all = append(all, k.service)
	}
	slices.SortFunc(all, func(a, b catalog.Service) int { return strings.Compare(a.Name, b.Name) })
	c, faults := catalog.Build(all...)
	for _, err := range faults {
		l.g.log.ErrorContext(ctx, "refused to expose", "error", err)
	}
	l.g.metrics.methods.Set(float64(c.Methods()))
	l.g.metrics.refused.Set(float64(len(faults)))
	l.current.Store(c)
	l.g.log.InfoContext(ctx, "learned what the services offer", "methods", c.Methods(), "routes", c.Routes())
	l.g.feeds(ctx, c)
	return complete
}

// describe reads the descriptors of a service. In a rolling deploy its nodes differ: the one that offers most is believed, and
// an older one answers what it doesn't know with NOT_FOUND.
func describe(ctx context.Context, service string, conns []grpc.ClientConnInterface) (best catalog.Service, err error) {
	if len(conns) == 0 {
		return best, errors.New("no node can be reached")
	}
	size := -1
	for _, cc := range conns {
		found, e := reflectOn(ctx, service, cc)
		if e != nil {
			err = e
			continue
		}
		n := 0
		for _, f := range found.Files {
			n += proto.Size(f)
		}
		if n > size {
			best, size = found, n
		}
	}
	if size < 0 {
		return best, err
	}
	return best, nil
}

// reflectOn asks one node by gRPC reflection.
func reflectOn(ctx context.Context, service string, cc grpc.ClientConnInterface) (catalog.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	out := catalog.Service{Name: service}
	stream, err := reflection.NewServerReflectionClient(cc).ServerReflectionInfo(ctx)
	if err != nil {
		return out, fmt.Errorf("reflect on %s: %w", service, err)
	}
	ask := func(q *reflection.ServerReflectionRequest) (*reflection.ServerReflectionResponse, error) {
		if err := stream.Send(q); err != nil {
			return nil, fmt.Errorf("reflect on %s: %w", service, err)
		}
		a, err := stream.Recv()
		if err != nil {
			return nil, fmt.Errorf("reflect on %s: %w", service, err)
		}
		if e := a.GetErrorResponse(); e != nil {
			return nil, fmt.Errorf("reflect on %s: %s", service, e.GetErrorMessage())
		}
		return a, nil
	}
	list, err := ask(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return out, err
	}
	files := map[string]*descriptorpb.FileDescriptorProto{}
	for _, s := range list.GetListServicesResponse().GetService() {
		if strings.HasPrefix(s.GetName(), "grpc.") {
			continue
		}
		a, err := ask(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: s.GetName()}})
		if err != nil {
			return out, err
		}
		if err := gather(files, a); err != nil {
			return out, err
		}
		out.Names = append(out.Names, protoreflect.FullName(s.GetName()))
	}
	for missing := absent(files); len(missing) > 0; missing = absent(files) {
		for _, name := range missing {
			a, err := ask(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_FileByFilename{FileByFilename: name}})
			if err != nil {
				return out, err
			}
			if err := gather(files, a); err != nil {
				return out, err
			}
			if files[name] == nil {
				return out, fmt.Errorf("reflect on %s: it imports %s and does not have it", service, name)
			}
		}
	}
	for _, f := range files {
		out.Files = append(out.Files, f)
	}
	return out, stream.CloseSend() //nolint:wrapcheck // never fails
}

func gather(files map[string]*descriptorpb.FileDescriptorProto, a *reflection.ServerReflectionResponse) error {
	for _, b := range a.GetFileDescriptorResponse().GetFileDescriptorProto() {
		f := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(b, f); err != nil {
			return fmt.Errorf("read a descriptor: %w", err)
		}
		files[f.GetName()] = f
	}
	return nil
}

func absent(files map[string]*descriptorpb.FileDescriptorProto) (names []string) {
	for _, f := range files {
		for _, d := range f.GetDependency() {
			if files[d] == nil && !slices.Contains(names, d) {
				names = append(names, d)
			}
		}
	}
	return names
}
