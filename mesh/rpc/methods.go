package rpc

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Defaults of edgev1.MethodEdge, and the deadline of internal calls that came without one.
const (
	DefaultMethodBytes   = 64 << 10
	DefaultMethodTimeout = 10 * time.Second
	internalTimeout      = 30 * time.Second
)

// AnyPeer in an allow-list admits every peer that has an identity.
const AnyPeer = "*"

// method is what the server knows of one of its methods, from its descriptor and the allow-list.
type method struct {
	exposure edgev1.Exposure
	maxBytes int           // of an exposed method's request
	timeout  time.Duration // at most, for an exposed method
	peers    []string      // of an internal method: the services that may call it
}

func (m *method) admits(peer string) bool {
	return peer != "" && (slices.Contains(m.peers, peer) || slices.Contains(m.peers, AnyPeer))
}

// describe reads the edge options of every method of a service. A service whose descriptor isn't registered is internal.
func describe(desc *grpc.ServiceDesc, internal map[string][]string) map[string]*method {
	methods := map[string]*method{}
	add := func(name string) {
		full := "/" + desc.ServiceName + "/" + name
		m := &method{maxBytes: DefaultMethodBytes, timeout: DefaultMethodTimeout, peers: internal[full]}
		if strings.HasPrefix(desc.ServiceName, "grpc.reflection.") || strings.HasPrefix(desc.ServiceName, "grpc.health.") {
			m.peers = []string{AnyPeer}
		}
		if o := edgeOptions(desc.ServiceName, name); o != nil {
			m.exposure = o.GetExposure()
			if n := o.GetMaxBodyBytes(); n != 0 {
				m.maxBytes = int(n)
			}
			if ms := o.GetTimeoutMs(); ms != 0 {
				m.timeout = time.Duration(ms) * time.Millisecond
			}
		}
		methods[full] = m
	}
	for _, x := range desc.Methods {
		add(x.MethodName)
	}
	for _, x := range desc.Streams {
		add(x.StreamName)
	}
	return methods
}

func edgeOptions(service, name string) *edgev1.MethodEdge {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil
	}
	m := s.Methods().ByName(protoreflect.Name(name))
	if m == nil {
		return nil
	}
	o, ok := m.Options().(*descriptorpb.MethodOptions)
	if !ok || !proto.HasExtension(o, edgev1.E_Method) {
		return nil
	}
	e, _ := proto.GetExtension(o, edgev1.E_Method).(*edgev1.MethodEdge)
	return e
}
