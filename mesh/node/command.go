package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"plenum.internal/mesh/sqldb"
)

// RestoredHelp describes the command "restored" of a service's program, for config.Load.
const RestoredHelp = "restored   prepare a database that was restored from a backup, before any process of the service starts on it"

// Command tells what a service's command line asks for: Restored if it begins with "restored", or else Run. The rest are flags.
func Command(args []string) (do func(context.Context, Config, Service, io.Writer) error, flags []string) {
	if len(args) > 0 && args[0] == "restored" {
		return Restored, args[1:]
	}
	return Run, args
}

// Restored begins a new life of the history in a service's database that was restored from a backup, and says so.
func Restored(ctx context.Context, cfg Config, service Service, out io.Writer) error {
	if service.Restored == nil {
		return fmt.Errorf("%s keeps nothing that could be restored", service.Name)
	}
	db, err := sqldb.Open(ctx, cfg.Database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer db.Close()
	if err := db.Alone(ctx); errors.Is(err, sqldb.ErrInUse) {
		return fmt.Errorf("%w: stop every %s process, and whatever else is connected, first", err, service.Name)
	} else if err != nil {
		return err
	}
	epoch, err := service.Restored(ctx, db, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: the history goes on in epoch %d; clients and followers that saw more than the backup holds read anew. Start the processes now.\n", service.Name, epoch)
	return err
}
