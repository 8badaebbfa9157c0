// Package catalog is what the gateway knows of the services: their exposed methods, HTTP routes and kinds of topics, read from descriptors.
package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Defaults of edgev1.MethodEdge.
const (
	DefaultBodyBytes = 64 << 10
	DefaultTimeout   = 10 * time.Second
	MaxTimeout       = 60 * time.Second
)

// Terms are those on which a method or a route is used.
type Terms struct {
	Public bool // without a token
	Rate   edgev1.RateClass
	Cost   float64 // tokens of its rate class
}

// Method is one exposed method.
type Method struct {
	Terms

	Name     string           // "plenum.chat.v1.ChatService/Send"
	Service  string           // that serves it: "chat"
	Route    protowire.Number // the routing field; 0: routed by the caller
	MaxBody  int              // bytes of an encoded request
	Timeout  time.Duration    // default and maximum
	Keeps    bool             // sessions that exist go on by it
	Repeats  bool             // NO_SIDE_EFFECTS or IDEMPOTENT: may be tried again
	Doing    edgev1.Doing     // what whoever calls it is doing
	Request  protoreflect.MessageDescriptor
	Response protoreflect.MessageDescriptor
}

// Kind is one kind of topics.
type Kind struct {
	Name                         string // "chat.channel"
	Service                      string
	Class                        edgev1.TopicClass
	Derived                      bool                           // its heads follow what its service has derived
	Event, Signal, Params, Badge protoreflect.MessageDescriptor // nil: none, or unknown
	Parting                      *Parting                       // nil: none
}

// Parting is the signal by which clients leave a topic.
type Parting struct {
	Key  string
	Body []byte
}

// Catalog is immutable.
type Catalog struct {
	methods  map[string]*Method
	services map[string]bool // of the methods
	kinds    map[string]*Kind
	prefixes rpc.Prefixes
	routes   map[string]*Route // by prefix
}

// Service is what was learned of one service: the files that its gRPC services stand in, with all they import.
type Service struct {
	Name  string
	Files []*descriptorpb.FileDescriptorProto
	Names []protoreflect.FullName // of its gRPC services
}

// Hash identifies what was learned.
func (s Service) Hash() string {
	files := slices.Clone(s.Files)
	slices.SortFunc(files, func(a, b *descriptorpb.FileDescriptorProto) int { return strings.Compare(a.GetName(), b.GetName()) })
	h := sha256.New()
	for _, f := range files {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
		if err != nil {
			continue // was just read from bytes
		}
		h.Write(b)
	}
	for _, n := range slices.Sorted(slices.Values(s.Names)) {
		h.Write([]byte("\n" + n))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Build makes a catalog. What a service may not expose, or what two claim, is left out and told.
func Build(services ...Service) (*Catalog, []error) {
	c := &Catalog{methods: map[string]*Method{}, services: map[string]bool{}, kinds: map[string]*Kind{}, routes: map[string]*Route{}}
	var faults []error
	var claims []claim
	for _, s := range services {
		files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(&descriptorpb.FileDescriptorSet{File: s.Files})
		if err != nil {
			faults = append(faults, fmt.Errorf("the descriptors of %s: %w", s.Name, err))
			continue
		}
		for _, name := range s.Names {
			d, err := files.FindDescriptorByName(name)
			sd, ok := d.(protoreflect.ServiceDescriptor)
			if err != nil || !ok {
				faults = append(faults, fmt.Errorf("%s has no descriptor of its %s", s.Name, name))
				continue
			}
			faults = append(faults, c.add(s.Name, files, sd)...)
			claims = append(claims, claimsOf(s.Name, sd)...)
		}
	}
	return c, append(faults, c.settle(claims)...)
}

func (c *Catalog) add(service string, files *protoregistry.Files, sd protoreflect.ServiceDescriptor) (faults []error) {
	own := owns(service, sd)
	for i := range sd.Methods().Len() {
		m := method(service, sd.Methods().Get(i))
		switch {
		case m == nil:
		case !own:
			faults = append(faults, fmt.Errorf("%s exposes %s, which is not in its package", service, m.Name))
		case c.methods[m.Name] != nil:
			faults = append(faults, fmt.Errorf("%s and %s both expose %s", c.methods[m.Name].Service, service, m.Name))
		default:
			c.methods[m.Name] = m
			c.services[string(sd.FullName())] = true
		}
	}
	options, _ := proto.GetExtension(sd.Options(), edgev1.E_Service).(*edgev1.ServiceEdge)
	for _, t := range options.GetTopics() {
		switch {
		case !own, t.GetKind() != service && !strings.HasPrefix(t.GetKind(), service+"."):
			faults = append(faults, fmt.Errorf("%s claims the topics %q, which are not in its package", service, t.GetKind()))
		case c.kinds[t.GetKind()] != nil:
			faults = append(faults, fmt.Errorf("%s and %s both claim the topics %q", c.kinds[t.GetKind()].Service, service, t.GetKind()))
		default:
			k := &Kind{
				Name: t.GetKind(), Service: service, Class: t.GetClass(), Derived: t.GetDerived(),
				Event: message(files, t.GetEvent()), Signal: message(files, t.GetSignal()),
				Params: message(files, t.GetParams()), Badge: message(files, t.GetBadge()),
			}
			var err error
			if k.Parting, err = parting(t.GetParting(), k.Signal); err != nil {
				faults = append(faults, fmt.Errorf("%s: how clients leave the topics %q: %w", service, t.GetKind(), err))
			}
			c.kinds[t.GetKind()] = k
		}
	}
	return faults
}

// owns reports whether a gRPC service is in the package of the service that serves it.
func owns(service string, sd protoreflect.ServiceDescriptor) bool {
	return strings.HasPrefix(string(sd.FullName()), "plenum."+service+".")
}

// method returns nil for what is not exposed. Streams are not: there is no frame for them.
func method(service string, d protoreflect.MethodDescriptor) *Method {
	o, _ := proto.GetExtension(d.Options(), edgev1.E_Method).(*edgev1.MethodEdge)
	if o.GetExposure() == edgev1.Exposure_EXPOSURE_UNSPECIFIED || d.IsStreamingClient() || d.IsStreamingServer() {
		return nil
	}
	m := &Method{
		Name:    string(d.Parent().FullName()) + "/" + string(d.Name()),
		Service: service, Terms: Terms{o.GetExposure() == edgev1.Exposure_EXPOSURE_PUBLIC, o.GetRate(), float64(max(o.GetCost(), 1))},
		Keeps:   o.GetKeepsSession(),
		MaxBody: DefaultBodyBytes, Timeout: DefaultTimeout,
		Request: d.Input(), Response: d.Output(),
	}
	if f := d.Input().Fields().ByName(protoreflect.Name(o.GetRoutingField())); f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
		m.Route = f.Number()
	}
	if _, known := edgev1.Doing_name[int32(o.GetDoing())]; known { // a service may be newer than this process
		m.Doing = o.GetDoing()
	}
	if n := o.GetMaxBodyBytes(); n != 0 {
		m.MaxBody = int(n)
	}
	if ms := o.GetTimeoutMs(); ms != 0 {
		m.Timeout = min(time.Duration(ms)*time.Millisecond, MaxTimeout)
	}
	if mo, ok := d.Options().(*descriptorpb.MethodOptions); ok {
		m.Repeats = mo.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
	}
	return m
}

func message(files *protoregistry.Files, name string) protoreflect.MessageDescriptor {
	if name == "" {
		return nil
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MessageDescriptor)
	return m
}

// parting encodes the signal by which clients leave a topic; nil: there is none.
func parting(p *edgev1.Parting, of protoreflect.MessageDescriptor) (*Parting, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	if of == nil {
		return nil, errors.New("it takes no signals")
	}
	m := dynamicpb.NewMessage(of)
	if err := protojson.Unmarshal([]byte(p.GetBody()), m); err != nil {
		return nil, fmt.Errorf("it is no %s: %w", of.FullName(), err)
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err //nolint:wrapcheck // said above
	}
	return &Parting{p.GetKey(), body}, nil
}

// Method finds an exposed method by its name, or returns nil.
func (c *Catalog) Method(name string) *Method { return c.methods[name] }

// Doing is what somebody does who calls a method, also one that is not exposed.
func (c *Catalog) Doing(method string) edgev1.Doing {
	if m := c.methods[method]; m != nil {
		return m.Doing
	}
	return edgev1.Doing_DOING_UNSPECIFIED
}

// Offers reports whether a gRPC service of this name exposes a method.
func (c *Catalog) Offers(name string) bool { return c.services[name] }

// Kind finds the kind of a topic by the topic's name, or returns nil.
func (c *Catalog) Kind(topic string) *Kind {
	kind, _, _ := strings.Cut(topic, "/")
	return c.kinds[kind]
}

// Methods is the number of exposed methods.
func (c *Catalog) Methods() int { return len(c.methods) }

// Request implements wire.Types, like those that follow.
func (c *Catalog) Request(method string) protoreflect.MessageDescriptor {
	if m := c.methods[method]; m != nil {
		return m.Request
	}
	return nil
}

// Response is what the method answers.
func (c *Catalog) Response(method string) protoreflect.MessageDescriptor {
	if m := c.methods[method]; m != nil {
		return m.Response
	}
	return nil
}

// Event is the type of the topic's events.
func (c *Catalog) Event(topic string) protoreflect.MessageDescriptor {
	if k := c.Kind(topic); k != nil {
		return k.Event
	}
	return nil
}

// Signal is the type of the topic's signals.
func (c *Catalog) Signal(topic string) protoreflect.MessageDescriptor {
	if k := c.Kind(topic); k != nil {
		return k.Signal
	}
	return nil
}

// Params is the type of a view's parameters.
func (c *Catalog) Params(topic string) protoreflect.MessageDescriptor {
	if k := c.Kind(topic); k != nil {
		return k.Params
	}
	return nil
}

// Badge is the type of a bundle's badges.
func (c *Catalog) Badge(topic string) protoreflect.MessageDescriptor {
	if k := c.Kind(topic); k != nil {
		return k.Badge
	}
	return nil
}

// Logs are the services that have topics with a log, ascending.
func (c *Catalog) Logs() []string {
	var out []string
	for _, k := range c.kinds {
		if k.Class == edgev1.TopicClass_TOPIC_CLASS_LOG && !slices.Contains(out, k.Service) {
			out = append(out, k.Service)
		}
	}
	slices.Sort(out)
	return out
}

// Derives tells whether a service has topics whose heads follow what it has derived.
func (c *Catalog) Derives(service string) bool {
	for _, k := range c.kinds {
		if k.Service == service && k.Derived {
			return true
		}
	}
	return false
}
