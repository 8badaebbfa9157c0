package setup

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"plenum.internal/loadtest/internal/account"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Document is one that was made.
type Document struct {
	ID      string
	Epoch   uint64
	Version uint64
	Hash    []byte // of its content
}

// MakeDocuments makes documents, each in the name of another owner, and has everybody edit them.
func (m *Maker) MakeDocuments(ctx context.Context, n int, title string, content func(i int) string) ([]Document, error) {
	if n > createMost {
		return nil, fmt.Errorf("%d documents: at most %d are made", n, createMost)
	}
	return m.each(ctx, make([]Document, n), func(ctx context.Context, i int, d *Document) error {
		owner := m.owners[i%len(m.owners)]
		var made docsv1.CreateDocumentResponse
		create := &docsv1.CreateDocumentRequest{Title: fmt.Sprintf("%s-%d", title, i), Content: content(i)}
		if err := m.call(ctx, owner, docsv1.DocsService_CreateDocument_FullMethodName, create, &made); err != nil {
			return fmt.Errorf("make document %d: %w", i, err)
		}
		d.ID = made.GetDocument()
		share := &docsv1.SetRoleRequest{Document: d.ID, Principal: "*", Role: docsv1.Role_ROLE_EDITOR}
		if err := m.call(ctx, owner, docsv1.DocsService_SetRole_FullMethodName, share, new(docsv1.SetRoleResponse)); err != nil {
			return fmt.Errorf("share document %d: %w", i, err)
		}
		return m.readDocument(ctx, owner, d)
	})
}

// ReadDocuments tells of documents what they are by now.
func (m *Maker) ReadDocuments(ctx context.Context, docs []Document) ([]Document, error) {
	return m.each(ctx, append([]Document(nil), docs...), func(ctx context.Context, i int, d *Document) error {
		return m.readDocument(ctx, m.owners[i%len(m.owners)], d)
	})
}

func (m *Maker) each(ctx context.Context, docs []Document, do func(ctx context.Context, i int, d *Document) error) ([]Document, error) {
	wait, inner := errgroup.WithContext(ctx)
	wait.SetLimit(callers)
	for i := range docs {
		wait.Go(func() error { return do(inner, i, &docs[i]) })
	}
	return docs, wait.Wait() //nolint:wrapcheck // its own
}

// readDocument reads the first part, and where there are more, the end alone: that has the hash of all.
func (m *Maker) readDocument(ctx context.Context, reader *account.Account, d *Document) error {
	q, part := &docsv1.ReadDocumentRequest{Document: d.ID}, &docsv1.ReadDocumentResponse{}
	for first := true; first || part.GetMore(); first = false {
		if err := m.call(ctx, reader, docsv1.DocsService_ReadDocument_FullMethodName, q, part); err != nil {
			return fmt.Errorf("read document %s: %w", d.ID, err)
		}
		q.Version, q.After = part.GetVersion(), part.GetLength()
	}
	d.Epoch, d.Version, d.Hash = part.GetEpoch(), part.GetVersion(), part.GetHash()
	return nil
}
