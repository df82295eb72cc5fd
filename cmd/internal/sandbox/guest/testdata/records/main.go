// Command records changes a bbolt file, /records.db, in many small steps. It prints each
// step's number and a digest of what the file is to hold then, before it as "begin", and
// after it as "end"; in between it reads all of it back.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

const steps = 100

var space = []byte("records")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	db, err := bbolt.Open("/records.db", 0o600, nil)
	if err != nil {
		return err
	}
	want := map[string][]byte{}
	for n := range steps {
		changes := map[string][]byte{} // nil: delete
		for i := range 6 {
			changes[fmt.Sprintf("key %d", (n*7+i*11)%61)] = bytes.Repeat([]byte{byte(n)}, 1+(n*97+i*1009)%6000)
		}
		changes[fmt.Sprintf("key %d", (n*5+3)%61)] = nil
		for key, value := range changes {
			if want[key] = value; value == nil {
				delete(want, key)
			}
		}
		digest := sum(want)
		fmt.Printf("begin %d %s\n", n, digest)
		if err := db.Update(func(tx *bbolt.Tx) error { return write(tx, changes) }); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		fmt.Printf("end %d %s\n", n, digest)
		got := map[string][]byte{}
		if err := db.View(func(tx *bbolt.Tx) error { return read(tx, got) }); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if sum(got) != digest {
			return fmt.Errorf("step %d: what is read is not what was written", n)
		}
	}
	return db.Close()
}

func write(tx *bbolt.Tx, changes map[string][]byte) error {
	b, err := tx.CreateBucketIfNotExists(space)
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		switch value := changes[key]; {
		case err != nil:
		case value == nil:
			err = b.Delete([]byte(key))
		default:
			err = b.Put([]byte(key), value)
		}
	}
	return err
}

func read(tx *bbolt.Tx, into map[string][]byte) error {
	return tx.Bucket(space).ForEach(func(key, value []byte) error {
		into[string(key)] = bytes.Clone(value)
		return nil
	})
}

// sum is a digest of records.
func sum(records map[string][]byte) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(records)) {
		fmt.Fprintf(h, "%s %x\n", key, records[key])
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}
