package docs

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/convert"
	"plenum.internal/docs/ot"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of what is imported and exported; docs.proto names them to clients.
const (
	MaxImport = 1 << 20           // bytes
	MaxExport = 4<<20 - 64<<10    // bytes; a message of the mesh has at most 4 MiB
	maxFirst  = maxEvent - 16<<10 // bytes of the delta that a document begins with: its event has a title, too
)

// ImportDocument makes a document of what was written elsewhere.
func (s *Server) ImportDocument(ctx context.Context, q *docsv1.ImportDocumentRequest) (*docsv1.ImportDocumentResponse, error) {
	res := &docsv1.ImportDocumentResponse{}
	return res, s.create(ctx, q, res, func() (string, error) { return s.imported(ctx, q) }, func(document string, version uint64) proto.Message {
		return &docsv1.ImportDocumentResponse{Document: document, Version: version}
	})
}

// imported is the content as a delta.
func (s *Server) imported(ctx context.Context, q *docsv1.ImportDocumentRequest) (string, error) {
	if n := len(q.GetContent()); n > MaxImport {
		return "", tooLarge("content", "At most %d bytes can be imported, these are %d. Divide it.", MaxImport, n)
	}
	var read func([]byte, convert.Limits) (ot.Delta, error)
	switch q.GetFormat() {
	case docsv1.Format_FORMAT_MARKDOWN:
		read = convert.FromMarkdown
	case docsv1.Format_FORMAT_HTML:
		read = convert.FromHTML
	case docsv1.Format_FORMAT_TEXT:
		read = convert.FromText
	case docsv1.Format_FORMAT_UNSPECIFIED:
	}
	if read == nil {
		return "", errFormat
	}
	done, err := s.heavy.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	d, err := read(q.GetContent(), convert.DefaultLimits())
	if err != nil {
		return "", notConverted(err)
	}
	if _, err := ot.NewDocument(d, s.limits, nil); err != nil { // the service's limits may be lower
		return "", refusal(err)
	}
	text := d.JSON()
	if len(text) > maxFirst {
		return "", tooLarge("content", "As a document it takes %d bytes with its formats, the limit is %d. Divide it.", len(text), maxFirst)
	}
	return text, nil
}

// ExportDocument writes the content of a version in another format.
func (s *Server) ExportDocument(ctx context.Context, q *docsv1.ExportDocumentRequest) (*docsv1.ExportDocumentResponse, error) {
	c, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	var write func(ot.Delta, int) (string, error)
	switch q.GetFormat() {
	case docsv1.Format_FORMAT_MARKDOWN:
		write = convert.Markdown
	case docsv1.Format_FORMAT_HTML:
		write = convert.HTML
	case docsv1.Format_FORMAT_TEXT:
		write = convert.Text
	case docsv1.Format_FORMAT_UNSPECIFIED:
	}
	if write == nil {
		return nil, errFormat
	}
	k := docKey{c.Workspace, q.GetDocument()}
	res := &docsv1.ExportDocumentResponse{}
	return res, s.atOwner(ctx, k, docsv1.DocsService_ExportDocument_FullMethodName, q, res, func(x *session) error {
		content, version, err := x.atHand(ctx, c, q.GetVersion())
		if err != nil {
			return err
		}
		done, err := s.heavy.turn(ctx)
		if err != nil {
			return err
		}
		defer done()
		if content == nil {
			if content, err = x.made(ctx, version); err != nil {
				return err
			}
		}
		text, err := write(content.Delta(), MaxExport)
		if e, ok := errors.AsType[*convert.Error](err); ok && e.Kind == convert.TooLarge {
			return tooLarge("format", "In this format the document has more than %d bytes. Read it as a delta, part by part (ReadDocument).", MaxExport)
		}
		res.Content, res.Version = text, version
		return err //nolint:wrapcheck // there is no other
	})
}

var errFormat = badField("format", "Name a format: Markdown, HTML or plain text.")

// notConverted is what is wrong with what is imported, for its author.
func notConverted(err error) error {
	e, ok := errors.AsType[*convert.Error](err)
	if !ok {
		return err
	}
	switch e.Kind {
	case convert.TooLarge:
		return tooLarge("content", "It can't be imported: %s.", e.Text)
	case convert.BadText:
		return badField("content", "It can't be imported: %s.", e.Text)
	case convert.TooDeep, convert.TooComplex:
	}
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.IMPORT", "It can't be imported: %s.", e.Text).On("content").Because(err)
}
