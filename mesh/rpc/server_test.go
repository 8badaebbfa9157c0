package rpc

import (
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestInvokePassesBytesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, same)
		defer stop()
		in, _ := proto.Marshal(&edgev1.Call{Id: 7, Body: []byte("hi")})
		out, err := Invoke(WithToken(t.Context(), token(t, "ada")), s.Pipe("gateway"), echoService+"/User", in)
		if err != nil || string(out) != string(in) {
			t.Fatalf("%q %v", out, err)
		}
	})
}
