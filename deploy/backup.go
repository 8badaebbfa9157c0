package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"plenum.internal/chat"
	"plenum.internal/deploy/datadir"
	"plenum.internal/docs"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/services/identity"
)

const backupHelp = "backup FOLDER   copy everything in the data folder into a new folder; Plenum may run meanwhile"

// copyMark is a file that makes a data folder a copy: what was done since it was made is missing there, and clients must be told.
const copyMark = "this-is-a-backup"

// databases are what the data folder holds, in the order in which a backup copies them.
//
// Invariant: whoever a message names is in the backup, too: identity is copied last. What chat knows of people it learns anew.
var databases = []struct {
	name     string
	restored func(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error) // nil: it has no history
}{{"presence", nil}, {"chat", chat.Restored}, {"docs", docs.Restored}, {"identity", identity.Restored}}

var (
	errNoCopies = errors.New("this is for one program with a data folder: back PostgreSQL's databases up by pg_dump")
	errNoFolder = errors.New("backup needs a new folder, named first: plenum backup FOLDER --data DATA")
)

// Backup copies the data folder, whether or not a Plenum runs on it, into a folder that must not exist yet.
func Backup(ctx context.Context, cfg Config, to string, out io.Writer) error {
	if cfg.Target != "all" {
		return errNoCopies
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists: name a new folder for the backup", to)
	}
	part := to + ".part" // a backup that was broken off is none
	if err := errors.Join(os.RemoveAll(part), os.MkdirAll(part, 0o700)); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	for _, d := range databases {
		if err := copyDatabase(ctx, cfg.Data, part, d.name+".db"); err != nil {
			return err
		}
	}
	what := "the databases"
	if key := cfg.Identity.KeyFile; cfg.Identity.Key == "" && filepath.IsLocal(key) {
		if err := copyFile(filepath.Join(cfg.Data, key), filepath.Join(part, key)); err != nil {
			return err
		}
		what += " and " + key
	}
	if err := writeSynced(filepath.Join(part, copyMark), time.Now().AppendFormat(nil, time.RFC3339)); err != nil {
		return err
	}
	if err := errors.Join(syncFolder(part), os.Rename(part, to), syncFolder(filepath.Dir(to))); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	_, err := fmt.Fprintf(out, "%s holds %s. To go back to it: stop Plenum, put a copy of this folder in the place of the data folder, and run `plenum restored --data FOLDER` before the next start.\n", to, what)
	return err
}

func copyDatabase(ctx context.Context, from, to, name string) error {
	db, err := openExisting(ctx, filepath.Join(from, name))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.CopyTo(ctx, filepath.Join(to, name)); err != nil {
		return fmt.Errorf("cannot back %s up: %w", name, err)
	}
	return nil
}

// openExisting opens a database that is there: SQLite would make a new one.
func openExisting(ctx context.Context, path string) (*sqldb.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database %s: name the data folder with --data", path)
	}
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + path})
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	return db, nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("cannot back %s up: %w", from, err)
	}
	return writeSynced(to, content)
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// notACopy refuses to start on a backup as it is: clients that saw more than it holds would go on as if nothing had happened.
func notACopy(data *datadir.Dir) error {
	if _, err := os.Lstat(data.Path(copyMark)); err == nil {
		return fmt.Errorf("the data folder %s is a backup: run `plenum restored --data %s` first, so that clients learn what is missing", data.Path(), data.Path())
	}
	return nil
}

// Restored prepares a data folder that was restored from a backup, before Plenum starts on it.
func Restored(ctx context.Context, cfg Config, out, _ io.Writer) error {
	if target := targets[cfg.Target]; target != nil {
		service, err := target(cfg)
		if err != nil {
			return err
		}
		return node.Restored(ctx, cfg.Node, service, out)
	}
	if _, err := os.Stat(cfg.Data); err != nil {
		return fmt.Errorf("there is no data folder %s: name it with --data", cfg.Data)
	}
	data, err := datadir.Open(cfg.Data)
	if err != nil {
		return err
	}
	defer data.Close()
	for _, d := range databases {
		if d.restored == nil {
			continue
		}
		if err := restoreDatabase(ctx, data.Path(d.name+".db"), d.name, d.restored, out); err != nil {
			return err
		}
	}
	if err := os.Remove(data.Path(copyMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot say that this is no backup any more: %w", err)
	}
	_, err = fmt.Fprintln(out, "Start Plenum now: clients that saw more than the backup holds will read anew.")
	return err
}

func restoreDatabase(ctx context.Context, path, name string, restored func(context.Context, *sqldb.DB, time.Time) (uint64, error), out io.Writer) error {
	db, err := openExisting(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	epoch, err := restored(ctx, db, time.Now())
	if err != nil {
		return fmt.Errorf("cannot prepare %s: %w", path, err)
	}
	_, err = fmt.Fprintf(out, "%s: the history goes on in epoch %d.\n", name, epoch)
	return err
}
