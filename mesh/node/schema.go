package node

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// schema is a hash of the descriptors of what a server offers, imports included: another version of a .proto, another hash.
func schema(services map[string]grpc.ServiceInfo) string {
	files := map[string]protoreflect.FileDescriptor{}
	var gather func(f protoreflect.FileDescriptor)
	gather = func(f protoreflect.FileDescriptor) {
		if files[f.Path()] != nil {
			return
		}
		files[f.Path()] = f
		for i := range f.Imports().Len() {
			gather(f.Imports().Get(i).FileDescriptor)
		}
	}
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(services)) {
		_, _ = hash.Write([]byte(name + "\n"))
		if d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name)); err == nil {
			gather(d.ParentFile())
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(files[path]))
		if err == nil { // a descriptor that was read can be written
			_, _ = hash.Write(b)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
