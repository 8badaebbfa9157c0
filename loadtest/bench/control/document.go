package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/doc/group"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	documentKind = "docs.document/"
	requestBytes = 2 << 20
)

// document is a topic whose events are edits, each transformed to follow those before it: what is less is no co-editing.
type document struct {
	*topic
	text *group.Text
}

func (s *Server) createDocument(w http.ResponseWriter, r *http.Request) {
	var q docsv1.CreateDocumentRequest
	if !decode(w, r, &q) {
		return
	}
	text, err := group.NewText(1, q.GetContent())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	id := "d" + strconv.Itoa(len(s.documents))
	d := &document{s.addTopic(documentKind + id), text}
	d.head = 1
	s.documents[id] = d
	s.mu.Unlock()
	answer(w, &docsv1.CreateDocumentResponse{Document: id, Version: 1})
}

// readDocument tells the whole in one part.
func (s *Server) readDocument(w http.ResponseWriter, r *http.Request) {
	var q docsv1.ReadDocumentRequest
	if !decode(w, r, &q) {
		return
	}
	s.mu.RLock()
	d := s.documents[q.GetDocument()]
	s.mu.RUnlock()
	if d == nil {
		http.Error(w, errNoTopic.Error(), http.StatusNotFound)
		return
	}
	version, delta, length, hash := d.text.Content()
	answer(w, &docsv1.ReadDocumentResponse{Delta: delta, Version: version, Epoch: epoch, Length: uint32(length), Hash: hash[:]})
}

func decode(w http.ResponseWriter, r *http.Request, q proto.Message) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestBytes))
	if err == nil {
		err = proto.Unmarshal(body, q)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

// submit needs the lock.
func (s *Server) submit(ctx context.Context, c *session, call *edgev1.Call) error {
	var req docsv1.SubmitRequest
	if err := proto.Unmarshal(call.GetBody(), &req); err != nil {
		return fmt.Errorf("decode %s: %w", call.GetMethod(), err)
	}
	d := s.documents[req.GetDocument()]
	if d == nil {
		return errNoTopic
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delta, err := d.text.Follow(req.GetBase(), req.GetDelta())
	if err != nil {
		return err //nolint:wrapcheck // ends the connection, whatever it is
	}
	body, err := proto.Marshal(&docsv1.DocumentEvent{Actor: c.id, Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta}}})
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	event := &edgev1.Event{Offset: d.head + 1, Body: body, Mutation: client.Mutation(c.id, call.GetClientSeq())}
	if err := d.text.Take(event.GetOffset(), event.GetMutation(), body); err != nil {
		return err //nolint:wrapcheck // ends the connection, whatever it is
	}
	return d.append(ctx, c, call, &docsv1.SubmitResponse{Version: event.GetOffset(), Epoch: epoch}, event)
}
