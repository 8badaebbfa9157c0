// Package proto_test holds the contract to rules of its own, besides buf's.
package proto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// files compiles the .proto files with their comments, which the generated Go doesn't keep.
func files(t *testing.T) []protoreflect.FileDescriptor {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image.binpb")
	buf, err := filepath.Abs("../bin/buf")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), buf, "build", "-o", image, "--as-file-descriptor-set").CombinedOutput(); err != nil {
		t.Fatalf("buf build (run `make tools` if it is missing): %v\n%s", err, out)
	}
	raw, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	registry, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	var ours []protoreflect.FileDescriptor
	registry.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(f.Path(), "plenum/") {
			ours = append(ours, f)
		}
		return true
	})
	if len(ours) < 5 {
		t.Fatalf("only %d files: the test looks at the wrong place", len(ours))
	}
	return ours
}

// TestMethods: what is exposed says whether it may be repeated, and by which field it is routed.
func TestMethods(t *testing.T) {
	exposed := 0
	for _, f := range files(t) {
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				m := f.Services().Get(i).Methods().Get(j)
				for _, problem := range checkMethod(m) {
					t.Errorf("%s: %s", m.FullName(), problem)
				}
				if edge := options(m); edge.GetExposure() != edgev1.Exposure_EXPOSURE_UNSPECIFIED {
					exposed++
				}
			}
		}
	}
	if exposed == 0 {
		t.Error("no exposed method found: the options were not read")
	}
}

func options(m protoreflect.MethodDescriptor) *edgev1.MethodEdge {
	edge, _ := proto.GetExtension(m.Options(), edgev1.E_Method).(*edgev1.MethodEdge)
	return edge
}

func checkMethod(m protoreflect.MethodDescriptor) (problems []string) {
	opts, _ := m.Options().(*descriptorpb.MethodOptions)
	edge := options(m)
	level := opts.GetIdempotencyLevel()
	switch edge.GetExposure() {
	case edgev1.Exposure_EXPOSURE_UNSPECIFIED:
		if edge != nil {
			problems = append(problems, "it has edge options, but is not exposed")
		}
		return problems
	case edgev1.Exposure_EXPOSURE_USER:
		if level == descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
			problems = append(problems, "exposed to users: set idempotency_level to NO_SIDE_EFFECTS (a read) or IDEMPOTENT (needs client_seq)")
		}
	case edgev1.Exposure_EXPOSURE_PUBLIC:
		if level == descriptorpb.MethodOptions_IDEMPOTENT {
			problems = append(problems, "public: there is no user whose client_seq could name the mutation; leave idempotency_level unset")
		}
	}
	if edge.GetRate() == edgev1.RateClass_RATE_CLASS_UNSPECIFIED {
		problems = append(problems, "exposed: name its rate class")
	}
	if m.IsStreamingClient() || m.IsStreamingServer() {
		problems = append(problems, "exposed: calls are unary")
	}
	if name := edge.GetRoutingField(); name != "" {
		field := m.Input().Fields().ByName(protoreflect.Name(name))
		if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
			problems = append(problems, "routing_field is not a top-level string of the request: "+name)
		}
	}
	return problems
}

// TestComments: a reader of the contract needs no other page to know what a name stands for.
func TestComments(t *testing.T) {
	for _, f := range files(t) {
		walk(f.Messages(), func(d protoreflect.Descriptor) {
			at := f.SourceLocations().ByDescriptor(d)
			if strings.TrimSpace(at.LeadingComments+at.TrailingComments) == "" {
				t.Errorf("%s:%d: %s has no comment", f.Path(), at.StartLine+1, d.FullName())
			}
		})
		for i := range f.Enums().Len() {
			for j := range f.Enums().Get(i).Values().Len() {
				v := f.Enums().Get(i).Values().Get(j)
				at := f.SourceLocations().ByDescriptor(v)
				if v.Number() != 0 && strings.TrimSpace(at.LeadingComments+at.TrailingComments) == "" {
					t.Errorf("%s:%d: %s has no comment", f.Path(), at.StartLine+1, v.FullName())
				}
			}
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				at := f.SourceLocations().ByDescriptor(s.Methods().Get(j))
				if strings.TrimSpace(at.LeadingComments+at.TrailingComments) == "" {
					t.Errorf("%s:%d: %s has no comment", f.Path(), at.StartLine+1, s.Methods().Get(j).FullName())
				}
			}
		}
	}
}

// walk visits every message with content and every field. An empty request or response explains itself by its method.
func walk(messages protoreflect.MessageDescriptors, visit func(protoreflect.Descriptor)) {
	for i := range messages.Len() {
		m := messages.Get(i)
		if m.IsMapEntry() {
			continue
		}
		name := string(m.Name())
		if !strings.HasSuffix(name, "Request") && !strings.HasSuffix(name, "Response") {
			visit(m)
		}
		for j := range m.Fields().Len() {
			visit(m.Fields().Get(j))
		}
		walk(m.Messages(), visit)
	}
}
