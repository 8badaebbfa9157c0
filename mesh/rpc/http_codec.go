package rpc

import (
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// HTTPPart is where RecvMsg puts a part of an exchange: a chunk into Buffer, which is used again and again, all else into Message. (protobuf
// makes a new slice for each chunk, which is all the garbage that a long body leaves.)
type HTTPPart struct {
	Message proto.Message
	Buffer  *[HTTPChunk]byte
	Chunk   []byte // of Buffer, until the next one is received; nil: it is no chunk, or too long to be one
}

// HTTPCodec lets a client of HttpService receive into HTTPPart.
func HTTPCodec() grpc.CallOption { return grpc.ForceCodecV2(httpCodec) }

var httpCodec = serverCodec{encoding.GetCodecV2(protocodec.Name)}

// chunkTag is how a message begins that is a chunk: field 2, of a length.
const chunkTag = 2<<3 | byte(protowire.BytesType)

// take reads a chunk, if data is one and no more.
func (p *HTTPPart) take(data mem.BufferSlice) bool {
	p.Chunk = nil
	var head [1 + 3]byte // the tag, and a length of up to 2 MiB
	r := data.Reader()
	defer r.Close()
	whole := r.Remaining()
	n, _ := io.ReadFull(r, head[:min(whole, len(head))]) // can't fail
	if n < 2 || head[0] != chunkTag {
		return false
	}
	length, size := protowire.ConsumeVarint(head[1:n])
	if size < 0 || length > HTTPChunk || whole != 1+size+int(length) {
		return false
	}
	p.Chunk = p.Buffer[:length]
	early := copy(p.Chunk, head[1+size:n]) // came with the head
	_, err := io.ReadFull(r, p.Chunk[early:])
	return err == nil
}
