package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

const fileName = "member.db"

// file is one bbolt file. A write that was cut short leaves what was there before.
type file struct{ db *bbolt.DB }

// openFile opens the file at path, or makes it, and reads all its records, so that a
// damaged one is noticed now.
func openFile(path string) (f *file, loaded map[string][]byte, err error) {
	// A page that points nowhere is a panic in bbolt, and one behind the end of a file that
	// was cut off is a fault of memory.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if what := recover(); what != nil {
			f, loaded, err = nil, nil, fmt.Errorf("it is damaged: %v", what)
		}
	}()
	_, missing := os.Stat(path)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, nil, plain(err)
	}
	f = &file{db}
	if missing != nil {
		err = syncDir(filepath.Dir(path))
	} else if _, err = f.load(member); err == nil {
		loaded, err = f.load(records)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return f, loaded, nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load reads all records of a space.
func (f *file) load(space string) (map[string][]byte, error) {
	found := map[string][]byte{}
	err := f.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(space))
		if b == nil {
			return nil
		}
		return b.ForEach(func(key, value []byte) error {
			found[string(key)] = bytes.Clone(value)
			return nil
		})
	})
	return found, err
}

// write makes changes durable, all of them together. Those that already have an error are
// left out; one that cannot be written whatever the disk gets one. The error means that
// none was written.
func (f *file) write(space string, changes []change) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(space))
		if err != nil {
			return err
		}
		for i := range changes {
			c := &changes[i]
			switch {
			case c.err != "":
			case c.delete:
				err = b.Delete([]byte(c.key))
			default:
				err = b.Put([]byte(c.key), c.value)
			}
			if err != nil {
				c.err, err = fmt.Sprintf("record %q: %v", c.key, err), nil
			}
		}
		return nil
	})
}

func (f *file) close() error { return f.db.Close() }
