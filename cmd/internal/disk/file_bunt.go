//go:build wasip1

package disk

import (
	"fmt"
	"strings"

	"github.com/tidwall/buntdb"
)

const fileName = "member.aof"

// file is one BuntDB file, since bbolt needs memory that is mapped. A write that was cut
// short is dropped when the file is read again.
type file struct{ db *buntdb.DB }

// openFile opens the file at path, or makes it, and reads all its records.
func openFile(path string) (*file, map[string][]byte, error) {
	db, err := buntdb.Open(path)
	if err != nil {
		return nil, nil, plain(err)
	}
	f := &file{db}
	var config buntdb.Config
	if err = db.ReadConfig(&config); err == nil {
		config.SyncPolicy = buntdb.Always
		err = db.SetConfig(config)
	}
	var loaded map[string][]byte
	if err == nil {
		loaded, err = f.load(records)
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return f, loaded, nil
}

// load reads all records of a space.
func (f *file) load(space string) (map[string][]byte, error) {
	found := map[string][]byte{}
	err := f.db.View(func(tx *buntdb.Tx) error {
		return tx.AscendKeys(space+"/*", func(key, value string) bool {
			found[strings.TrimPrefix(key, space+"/")] = []byte(value)
			return true
		})
	})
	return found, err
}

// write makes changes durable, all of them together. Those that already have an error are
// left out; one that cannot be written whatever the disk gets one. The error means that
// none was written.
func (f *file) write(space string, changes []change) error {
	return f.db.Update(func(tx *buntdb.Tx) error {
		for i := range changes {
			c := &changes[i]
			var err error
			switch {
			case c.err != "":
			case c.delete:
				_, err = tx.Delete(space + "/" + c.key)
			default:
				_, _, err = tx.Set(space+"/"+c.key, string(c.value), nil)
			}
			if err != nil && err != buntdb.ErrNotFound {
				c.err = fmt.Sprintf("record %q: %v", c.key, err)
			}
		}
		return nil
	})
}

func (f *file) close() error { return f.db.Close() }
