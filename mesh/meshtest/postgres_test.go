package meshtest

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// TestPostgresStream: however the stream is cut into segments, as many COMMITs are seen as it has, and nothing else is.
func TestPostgresStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := framed(nil, "\x00\x03\x00\x00user\x00x\x00\x00")
		if rapid.Bool().Draw(t, "asks for TLS") {
			stream = append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest), stream...)
		}
		want := 0
		for range rapid.IntRange(0, 12).Draw(t, "messages") {
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				stream, want = framed(append(stream, 'Q'), "commit\x00"), want+1
			case 1:
				stream, want = framed(append(stream, 'P'), "stmt\x00COMMIT ;\x00\x00\x00"), want+1
			case 2:
				stream = framed(append(stream, 'Q'), "rollback\x00")
			case 3:
				stream = framed(append(stream, 'P'), "commit\x00select 'commit'\x00\x00\x00")
			default:
				stream = framed(append(stream, 'B'), rapid.StringN(0, 600, 1000).Draw(t, "body"))
			}
		}
		var s postgresStream
		got := 0
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "segment")
			got += s.commits(stream[:n])
			stream = stream[n:]
		}
		if got != want {
			t.Fatalf("%d commits seen, want %d", got, want)
		}
	})
}

func framed(b []byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body)+4)), body...)
}
