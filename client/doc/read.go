package doc

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// readTries is how often a document is read anew whose parts don't make a whole.
const readTries = 3

// Read reads a document's content of a version, 0: the newest, part by part, and holds it to its hash. It returns the cursor to follow the
// document's topic from.
func Read(ctx context.Context, conn grpc.ClientConnInterface, document string, version uint64) (*ot.Document, *edgev1.Cursor, error) {
	for try := 1; ; try++ {
		content, at, err := read(ctx, docsv1.NewDocsServiceClient(conn), document, version)
		if err == nil {
			return content, at, nil
		}
		if _, said := errors.AsType[*client.Error](err); said || ctx.Err() != nil || try == readTries {
			return nil, nil, err
		}
	}
}

func read(ctx context.Context, docs docsv1.DocsServiceClient, document string, version uint64) (*ot.Document, *edgev1.Cursor, error) {
	var whole ot.Delta
	for {
		part, err := docs.ReadDocument(ctx, &docsv1.ReadDocumentRequest{Document: document, Version: version, After: uint32(whole.Length())})
		if err != nil {
			return nil, nil, err
		}
		delta, err := ot.Parse([]byte(part.GetDelta()), ot.Unlimited())
		if err != nil {
			return nil, nil, fmt.Errorf("what the server says of document %s can't be read: %w", document, err)
		}
		version = part.GetVersion()
		if whole = whole.Concat(delta); part.GetMore() && delta.Length() > 0 && whole.Length() < int(part.GetLength()) {
			continue
		}
		content, err := ot.NewDocument(whole, ot.Unlimited(), nil)
		if err != nil {
			return nil, nil, fmt.Errorf("what the server says of document %s is none: %w", document, err)
		}
		if hash := content.Hash(); part.GetMore() || content.Len() != int(part.GetLength()) || !bytes.Equal(hash[:], part.GetHash()) {
			return nil, nil, fmt.Errorf("version %d of document %s did not come whole: it has another hash", version, document)
		}
		return content, &edgev1.Cursor{Epoch: part.GetEpoch(), Offset: version}, nil
	}
}
