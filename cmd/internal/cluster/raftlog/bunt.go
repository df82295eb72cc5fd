package raftlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hashicorp/raft"
	"github.com/tidwall/buntdb"
)

// bunt is a log in one file of BuntDB, which holds all of it in memory too. It is for
// platforms without raft-wal.
type bunt struct{ db *buntdb.DB }

const (
	entryPrefix  = "log/" // and the index, 16 hexadecimal digits
	stablePrefix = "stable/"
)

func openBunt(dir string) (*bunt, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := buntdb.Open(filepath.Join(dir, "log.bunt"))
	if err != nil {
		return nil, err
	}
	config := buntdb.Config{SyncPolicy: buntdb.Always, AutoShrinkPercentage: 100, AutoShrinkMinSize: 32 << 20}
	if err := db.SetConfig(config); err != nil {
		return nil, err
	}
	return &bunt{db}, nil
}

func (b *bunt) Close() error { return b.db.Close() }

func entryKey(index uint64) string { return fmt.Sprintf("%s%016x", entryPrefix, index) }

// FirstIndex implements [raft.LogStore].
func (b *bunt) FirstIndex() (uint64, error) { return b.end((*buntdb.Tx).AscendKeys) }

// LastIndex implements [raft.LogStore].
func (b *bunt) LastIndex() (uint64, error) { return b.end((*buntdb.Tx).DescendKeys) }

// end is the index of the first entry that scan comes by, 0 for none.
func (b *bunt) end(scan func(tx *buntdb.Tx, pattern string, visit func(key, value string) bool) error) (index uint64, err error) {
	err = b.db.View(func(tx *buntdb.Tx) error {
		var bad error
		if err := scan(tx, entryPrefix+"*", func(key, _ string) bool {
			index, bad = strconv.ParseUint(key[len(entryPrefix):], 16, 64)
			return false
		}); err != nil {
			return err
		}
		return bad
	})
	return index, err
}

// GetLog implements [raft.LogStore].
func (b *bunt) GetLog(index uint64, e *raft.Log) error {
	value, err := b.get(entryKey(index))
	if err != nil {
		return err
	}
	if value == "" {
		return raft.ErrLogNotFound
	}
	return json.Unmarshal([]byte(value), e)
}

// get is "" for what is not there.
func (b *bunt) get(key string) (value string, err error) {
	err = b.db.View(func(tx *buntdb.Tx) error {
		value, err = tx.Get(key)
		return err
	})
	if errors.Is(err, buntdb.ErrNotFound) {
		return "", nil
	}
	return value, err
}

// StoreLog implements [raft.LogStore].
func (b *bunt) StoreLog(e *raft.Log) error { return b.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements [raft.LogStore].
func (b *bunt) StoreLogs(entries []*raft.Log) error {
	return b.db.Update(func(tx *buntdb.Tx) error {
		for _, e := range entries {
			value, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if _, _, err := tx.Set(entryKey(e.Index), string(value), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteRange implements [raft.LogStore].
func (b *bunt) DeleteRange(from, to uint64) error {
	return b.db.Update(func(tx *buntdb.Tx) error {
		var keys []string
		err := tx.AscendRange("", entryKey(from), entryKey(to)+"0", func(key, _ string) bool {
			keys = append(keys, key)
			return true
		})
		for _, key := range keys {
			if err != nil {
				break
			}
			_, err = tx.Delete(key)
		}
		return err
	})
}

// Set implements [raft.StableStore].
func (b *bunt) Set(key, value []byte) error {
	return b.db.Update(func(tx *buntdb.Tx) error {
		_, _, err := tx.Set(stablePrefix+string(key), string(value), nil)
		return err
	})
}

// Get implements [raft.StableStore].
func (b *bunt) Get(key []byte) ([]byte, error) {
	value, err := b.get(stablePrefix + string(key))
	return []byte(value), err
}

// SetUint64 implements [raft.StableStore].
func (b *bunt) SetUint64(key []byte, value uint64) error {
	return b.Set(key, []byte(strconv.FormatUint(value, 10)))
}

// GetUint64 implements [raft.StableStore].
func (b *bunt) GetUint64(key []byte) (uint64, error) {
	value, err := b.Get(key)
	if err != nil || len(value) == 0 {
		return 0, err
	}
	return strconv.ParseUint(string(value), 10, 64)
}
