package catalog

import (
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// test is the test service as reflection would bring it, under any name; reflected is any.
func test(as string) Service {
	return reflected(as, testv1.File_plenum_test_v1_test_proto, "plenum.test.v1.TestService")
}

func reflected(as string, file protoreflect.FileDescriptor, name protoreflect.FullName) Service {
	s := Service{Name: as, Names: []protoreflect.FullName{name}}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		s.Files = append(s.Files, protodesc.ToFileDescriptorProto(f))
	}
	add(file)
	return s
}

// A gateway that sheds load must not end the sessions that it keeps.
func TestWhatKeepsSessions(t *testing.T) {
	c, faults := Build(reflected("identity", identityv1.File_plenum_identity_v1_session_proto, "plenum.identity.v1.SessionService"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for name, m := range c.methods {
		if m.Keeps != strings.HasSuffix(name, "/Refresh") {
			t.Errorf("%s: %v", name, m.Keeps)
		}
	}
}

// TestParting: the signal by which clients leave a topic is encoded once; one that can't be read is told, and is none.
func TestParting(t *testing.T) {
	c, faults := Build(test("test"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want, _ := proto.Marshal(&testv1.Typing{Left: true})
	if p := c.Kind("test.room/x").Parting; p == nil || p.Key != "here" || string(p.Body) != string(want) {
		t.Errorf("%v", p)
	}
	if p := c.Kind("test.user/x").Parting; p != nil {
		t.Errorf("%v", p)
	}
	typing := (&testv1.Typing{}).ProtoReflect().Descriptor()
	for what, c := range map[string]struct {
		body string
		of   protoreflect.MessageDescriptor
	}{"no JSON": {"{", typing}, "an unknown field": {`{"gone":true}`, typing}, "no signals": {`{}`, nil}} {
		if p, err := parting(&edgev1.Parting{Key: "here", Body: c.body}, c.of); err == nil || p != nil {
			t.Errorf("%s: %v", what, p)
		}
	}
}

func TestWhatIsExposed(t *testing.T) {
	c, faults := Build(test("test"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	post := c.Method("plenum.test.v1.TestService/Post")
	if post == nil || post.Service != "test" || post.Route != 1 || post.MaxBody != 4096 || post.Timeout.Seconds() != 2 || !post.Repeats || post.Public ||
		post.Rate != edgev1.RateClass_RATE_CLASS_WRITE || post.Cost != 1 || post.Request.Name() != "PostRequest" || c.Doing(post.Name) != edgev1.Doing_DOING_WRITE {
		t.Errorf("Post: %+v", post)
	}
	if echo := c.Method("plenum.test.v1.TestService/Echo"); !echo.Repeats || echo.MaxBody != DefaultBodyBytes || echo.Route != 0 {
		t.Errorf("Echo: %+v", echo)
	}
	if c.Doing("plenum.test.v1.TestService/Echo") != 0 || c.Doing("plenum.test.v1.TestService/Hidden") != 0 {
		t.Error("nothing is done by who reads")
	}
	if !c.Method("plenum.test.v1.TestService/Hello").Public || c.Method("plenum.test.v1.TestService/Hidden") != nil {
		t.Error("Hello is public, Hidden isn't exposed")
	}
	if k := c.Kind("test.room/x"); k == nil || k.Event.Name() != "Posted" || k.Signal.Name() != "Typing" || k.Class != edgev1.TopicClass_TOPIC_CLASS_LOG {
		t.Errorf("%+v", k)
	}
	if !c.Derives("test") || c.Derives("other") || !c.Kind("test.desk/x").Derived || c.Kind("test.room/x").Derived {
		t.Error("the heads of test.desk alone follow what is derived")
	}
	if logs := c.Logs(); len(logs) != 1 || logs[0] != "test" {
		t.Errorf("%v", logs)
	}
}

// A service exposes its own package only, and what two claim stays with the first.
func TestRefusals(t *testing.T) {
	c, faults := Build(test("other"))
	if c.Methods() != 0 || c.Kind("test.room/x") != nil || len(faults) != 3+5+3 {
		t.Errorf("another's package: %d methods, %v", c.Methods(), faults)
	}
	c, faults = Build(test("test"), test("test"))
	if c.Methods() != 3 || len(faults) != 3+5+3 {
		t.Errorf("claimed twice: %d methods, %v", c.Methods(), faults)
	}
	foreign := test("test")
	for i, f := range foreign.Files {
		if f.GetPackage() == "plenum.test.v1" {
			f = proto.CloneOf(f)
			edge, _ := proto.GetExtension(f.GetService()[0].GetOptions(), edgev1.E_Service).(*edgev1.ServiceEdge)
			edge = proto.CloneOf(edge)
			edge.Topics[0].Kind = "chat.channel"
			edge.Topics[1].Kind = "testing.room"
			options := proto.CloneOf(f.GetService()[0].GetOptions())
			proto.SetExtension(options, edgev1.E_Service, edge)
			f.Service[0].Options = options
			foreign.Files[i] = f
		}
	}
	if c, faults = Build(foreign); len(faults) != 2 || c.Kind("chat.channel/x") != nil || c.Kind("testing.room/x") != nil || c.Kind("test.mine/x") == nil {
		t.Errorf("another's topics: %v", faults)
	}
	broken := test("test")
	broken.Files = []*descriptorpb.FileDescriptorProto{{Name: new("x"), Syntax: new("?")}}
	if _, faults = Build(broken); len(faults) == 0 || !strings.Contains(faults[0].Error(), "test") {
		t.Errorf("no descriptors: %v", faults)
	}
}

func TestHashFollowsTheDescriptors(t *testing.T) {
	a, b := test("test"), test("test")
	b.Files[0], b.Files[1] = b.Files[1], b.Files[0]
	if a.Hash() != b.Hash() {
		t.Error("the order of files counts")
	}
	b.Names = nil
	if a.Hash() == b.Hash() {
		t.Error("what is served does not count")
	}
}

// withRoutes is a service whose only claims are routes.
func withRoutes(name string, routes ...*edgev1.HttpRoute) Service {
	options := &descriptorpb.ServiceOptions{}
	proto.SetExtension(options, edgev1.E_Service, &edgev1.ServiceEdge{Routes: routes})
	return Service{Name: name, Names: []protoreflect.FullName{protoreflect.FullName("plenum." + name + ".v1.S")}, Files: []*descriptorpb.FileDescriptorProto{{
		Name: new(name + ".proto"), Package: new("plenum." + name + ".v1"), Syntax: new("proto3"),
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("S"), Options: options}},
	}}}
}

func route(prefix string) *edgev1.HttpRoute {
	return &edgev1.HttpRoute{Prefix: prefix, Exposure: edgev1.Exposure_EXPOSURE_USER, Rate: edgev1.RateClass_RATE_CLASS_READ}
}

func find(t *testing.T, c *Catalog, path string) string {
	t.Helper()
	u, err := url.ParseRequestURI(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Route(u)
	switch {
	case err != nil:
		return "refused"
	case r == nil:
		return ""
	}
	return r.Service + " " + r.Prefix
}

func TestRoutes(t *testing.T) {
	c, faults := Build(test("test"))
	if len(faults) > 0 || c.Routes() != 3 {
		t.Fatal(faults)
	}
	for path, want := range map[string]string{"/test/x": "test /test/", "/test/open/x": "test /test/open/", "/test": "", "/tests/": "", "/test/open/../x": "refused"} {
		if got := find(t, c, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	u, _ := url.Parse("/test/content/x")
	if r, _ := c.Route(u); !r.Isolated || !r.Public || r.Rate != edgev1.RateClass_RATE_CLASS_READ || r.Cost != 1 {
		t.Errorf("%+v", r)
	}
}

// Of two services that want the same paths the one that sorts first has them, however they were learned.
func TestConflictingRoutes(t *testing.T) {
	a := withRoutes("a", route("/x/"), route("/deep/in/"), route("/x/nested/"), route("/x/"))
	b := withRoutes("b", route("/x/y/"), route("/deep/"), route("/b/"), route("/xy/"), route("/x/"))
	for _, order := range [][]Service{{a, b}, {b, a}} {
		c, faults := Build(order...)
		if len(faults) != 4 || c.Routes() != 5 {
			t.Errorf("%d routes, %v", c.Routes(), faults)
		}
		for path, want := range map[string]string{"/x/y/z": "a /x/", "/x/nested/z": "a /x/nested/", "/deep/x": "", "/deep/in/x": "a /deep/in/", "/b/x": "b /b/", "/xy/x": "b /xy/"} {
			if got := find(t, c, path); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
}

func TestRefusedRoutes(t *testing.T) {
	nobody := route("/z/")
	nobody.Exposure = edgev1.Exposure_EXPOSURE_UNSPECIFIED
	bad := []*edgev1.HttpRoute{route(""), route("/"), route("/x"), route("x/"), route("/a/../b/"), route("/edge/"), route("/edge/v1/"), route("/livez/"), route("/readyz/"), route("/plenum.chat.v1.ChatService/"), route("/a.b/c/"), nobody}
	c, faults := Build(withRoutes("a", append(bad, route("/.well-known/"))...))
	if c.Routes() != 1 || len(faults) != len(bad) || find(t, c, "/.well-known/x") == "" {
		t.Errorf("%d routes, %v", c.Routes(), faults)
	}
}
