package docs

import (
	"crypto/rand"

	"google.golang.org/grpc"
)

// Peers are the processes of this service: *node.Peers. Each is named by its incarnation.
type Peers interface {
	Self() string
	Lease() int64                          // by which the others must believe that this process lives; 0: it has none
	Withdrawn() bool                       // this process does not reach the database, and others take over what it owns
	Place(key string) (incarnation string) // whose a document is to be
	Lives(incarnation string) bool         // as far as is known
	Changed() <-chan struct{}              // closed when one comes or goes
	Conn(incarnation string) (grpc.ClientConnInterface, error)
}

// alone is a process that has no others beside it.
type alone struct{ incarnation string }

func newAlone() alone { return alone{"~" + rand.Text()} }

func (a alone) Self() string                                { return a.incarnation }
func (alone) Lease() int64                                  { return 1 }
func (alone) Withdrawn() bool                               { return false }
func (a alone) Place(string) string                         { return a.incarnation }
func (a alone) Lives(incarnation string) bool               { return incarnation == a.incarnation }
func (alone) Changed() <-chan struct{}                      { return nil }
func (alone) Conn(string) (grpc.ClientConnInterface, error) { return nil, errAway }
