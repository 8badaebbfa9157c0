package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// keptStatements bounds the compiled statements that one SQLite connection keeps, some kilobytes each; the least recently used
// goes first.
const keptStatements = 128

// connector opens SQLite connections that keep their compiled statements, as pgx does by itself: compiling took a fifth of a busy
// writer's time.
type connector struct {
	driver driver.Driver
	dsn    string
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	raw, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	conn, ok := raw.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver's %T lacks methods", raw), raw.Close())
	}
	idle, err := simplelru.NewLRU[string, sqliteStmt](keptStatements, nil)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return &keepingConn{conn, idle}, nil
}

// sqliteConn is what database/sql needs of the driver's connection. QueryContext and ExecContext are left out, so that every
// statement passes PrepareContext.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keepingConn is a connection; database/sql uses it from one goroutine at a time.
//
// Invariant: idle holds statements that nobody uses; a text that is in use twice at a time is compiled twice.
type keepingConn struct {
	sqliteConn
	idle *simplelru.LRU[string, sqliteStmt]
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *keepingConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if s, ok := c.idle.Peek(text); ok {
		c.idle.Remove(text)
		return &keptStmt{s, c, text}, nil
	}
	s, err := c.sqliteConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	kept, ok := s.(sqliteStmt)
	if !ok {
		return s, nil
	}
	return &keptStmt{kept, c, text}, nil
}

// keep takes back a statement that its user closed.
func (c *keepingConn) keep(text string, s sqliteStmt) error {
	if c.idle.Contains(text) {
		return s.Close()
	}
	var err error
	if c.idle.Len() == keptStatements {
		_, oldest, _ := c.idle.RemoveOldest()
		err = oldest.Close()
	}
	c.idle.Add(text, s)
	return err
}

// Close implements driver.Conn.
func (c *keepingConn) Close() error {
	var errs []error
	for _, s := range c.idle.Values() {
		errs = append(errs, s.Close())
	}
	c.idle.Purge()
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// keptStmt goes back to its connection instead of being closed. The driver has reset it by then, and cleared what was bound.
type keptStmt struct {
	sqliteStmt
	conn *keepingConn
	text string
}

// Close implements driver.Stmt.
func (s *keptStmt) Close() error { return s.conn.keep(s.text, s.sqliteStmt) }
