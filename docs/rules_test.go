package docs

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// A text that PostgreSQL can't hold, in whichever field of a request, is the caller's fault and not the service's; as an id it names nothing.
func TestStrangeTexts(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.admin("ada")
		doc := ada.create("A text\n")
		methods := docsv1.File_plenum_docs_v1_docs_proto.Services().ByName("DocsService").Methods()
		asked := 0
		for i := range methods.Len() {
			method := methods.Get(i)
			in, _ := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
			out, _ := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
			for j := range method.Input().Fields().Len() {
				field := method.Input().Fields().Get(j)
				if field.Kind() != protoreflect.StringKind || field.IsList() {
					continue
				}
				asked++
				for _, strange := range []string{"\x00", "a\x00", strings.Repeat("a", 27)} {
					req, res := in.New(), out.New()
					if method.Input().Fields().ByName("document") != nil {
						set(req, "document", doc)
					}
					set(req, string(field.Name()), strange)
					err := w.rpc.Pipe("gateway").Invoke(ada.write(), "/plenum.docs.v1.DocsService/"+string(method.Name()), req.Interface(), res.Interface())
					if rpc.CodeOf(err) >= edgev1.Code_CODE_INTERNAL {
						t.Errorf("%s with %q as %s: %v", method.Name(), strange, field.Name(), rpc.FromError(err))
					}
					if id := string(field.Name()); (id == "document" || id == "folder") && err == nil {
						t.Errorf("%s with %q as %s was done", method.Name(), strange, id)
					}
				}
			}
		}
		if asked < 40 {
			t.Errorf("only %d fields: the test looks for the wrong thing", asked)
		}
	})
}
