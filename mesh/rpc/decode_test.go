package rpc

import (
	"testing"
	"testing/synctest"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// A request that isn't protobuf, or whose text isn't UTF-8, is the caller's fault.
func TestMalformedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, same)
		defer stop()
		for name, body := range map[string][]byte{"no protobuf": {0xff}, "not UTF-8": {0x12, 2, 0xff, 0xfe}} {
			_, err := Invoke(t.Context(), s.Pipe("gateway"), echoService+"/Public", body)
			expect(t, name, err, edgev1.Code_CODE_INVALID_ARGUMENT)
		}
	})
}
