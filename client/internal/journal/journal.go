// Package journal keeps records in a file so that a crash loses none that was acknowledged.
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Journal is a file of records that is only appended to, and now and then written anew. Each record is its length, the
// CRC-32C of its bytes, the CRC-32C of these two, and its bytes. A record is synced before the next is written, so that a
// crash can spoil the last one only: that one is dropped, and damage anywhere else is an error.
type Journal struct {
	path string
	// File is what is written to; tests put another one in its place.
	File *os.File
	// Size is how long the file is.
	//
	// Invariant: the file's first Size bytes are whole records, and the file's offset is there.
	Size   int
	broken error // a sync failed: what the disk holds is not known, so nothing more is written
}

// The sizes of records.
const (
	Head      = 12      // bytes before each record
	MaxRecord = 1 << 30 // bytes of a record
)

// ErrInUse says that another program has the file open.
var ErrInUse = errors.New("another program has it open")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open locks and reads the file, and makes it where there is none.
func Open(path string, apply func(record []byte) error) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	j := &Journal{path: path, File: file}
	if err := j.read(apply); err != nil {
		_ = file.Close()
		return nil, err
	}
	return j, nil
}

// lockFile opens the file as its only user. Where another user has meanwhile put a new file in its place, the lock is worth
// nothing, and it tries again.
func lockFile(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			return nil, ErrInUse
		}
		mine, err := file.Stat()
		if err != nil {
			_ = file.Close()
			return nil, err
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return file, nil
		}
		_ = file.Close()
	}
}

func (j *Journal) read(apply func([]byte) error) error {
	data, err := io.ReadAll(j.File)
	if err != nil {
		return err
	}
	for rest := data; ; rest = data[j.Size:] {
		record, err := Next(rest)
		if errors.Is(err, errCutOff) {
			break
		}
		if err == nil {
			err = apply(record)
		}
		if err != nil {
			return fmt.Errorf("damaged at byte %d (%w): move it away to start anew; what waited in it is lost", j.Size, err)
		}
		j.Size += Head + len(record)
	}
	if err := j.File.Truncate(int64(j.Size)); err != nil {
		return err
	}
	if _, err := j.File.Seek(int64(j.Size), io.SeekStart); err != nil {
		return err
	}
	return SyncDir(j.path)
}

// errCutOff says that the rest of a journal is empty, or a record that a crash has cut off.
var errCutOff = errors.New("cut off")

// Next returns the first record of what a file holds.
func Next(data []byte) ([]byte, error) {
	if len(bytes.TrimRight(data, "\x00")) < Head && !valid(data) { // a file may grow before its data comes
		return nil, errCutOff
	}
	n := binary.LittleEndian.Uint32(data)
	if !valid(data) || n > MaxRecord {
		return nil, errors.New("no head of a record")
	}
	rest := data[Head:]
	if len(rest) < int(n) {
		return nil, errCutOff
	}
	if crc32.Checksum(rest[:n], castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		if len(rest) == int(n) {
			return nil, errCutOff
		}
		return nil, errors.New("wrong checksum")
	}
	return rest[:n:n], nil
}

// valid reports whether data begins with the head of a record.
func valid(data []byte) bool {
	return len(data) >= Head && crc32.Checksum(data[:8], castagnoli) == binary.LittleEndian.Uint32(data[8:])
}

// Frame is a record as it stands in the file.
func Frame(record []byte) []byte {
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, Head+len(record)), uint32(len(record)))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(record, castagnoli))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return append(out, record...)
}

// Append writes a record and syncs it.
func (j *Journal) Append(record []byte) error {
	if j.broken != nil {
		return j.broken
	}
	framed := Frame(record)
	if _, err := j.File.Write(framed); err != nil {
		// A part of it may stand there; what follows must not stand behind it.
		if j.broken = j.File.Truncate(int64(j.Size)); j.broken == nil {
			_, j.broken = j.File.Seek(int64(j.Size), io.SeekStart)
		}
		return err
	}
	if j.broken = j.File.Sync(); j.broken != nil {
		return j.broken
	}
	j.Size += len(framed)
	return nil
}

// Rewrite puts a new file with these records in the place of the old one, in one step. After an error the old one goes on.
func (j *Journal) Rewrite(records [][]byte) error {
	next, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	fresh := &Journal{path: j.path, File: next}
	if err = syscall.Flock(int(next.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		var all []byte
		for _, record := range records {
			all = append(all, Frame(record)...)
		}
		fresh.Size = len(all)
		_, err = next.Write(all)
	}
	if err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(next.Name(), j.path)
	}
	if err != nil {
		_ = next.Close()
		return fmt.Errorf("compact: %w", err)
	}
	old := j.File
	*j = *fresh
	j.broken = SyncDir(j.path) // else a crash could bring the old file back, without what is written from now on
	_ = old.Close()            // all of it was synced
	return j.broken
}

// SyncDir makes a file's name durable.
func SyncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Close closes the file.
func (j *Journal) Close() error { return j.File.Close() }
