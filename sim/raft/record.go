package raft

import (
	"strings"

	"orrery/sim/disk"
)

// LogRecord reads an entry that a Node writes to its disk, for a world that compares what
// its servers write; false for a record that is none. The data is not to be changed.
func LogRecord(r disk.Record) (index, term, prevTerm uint64, data []byte, ok bool) {
	if r.Delete || !strings.HasPrefix(r.Key, logPrefix) {
		return 0, 0, 0, nil, false
	}
	for _, digit := range []byte(r.Key[len(logPrefix):]) {
		index = index<<4 | uint64(strings.IndexByte("0123456789abcdef", digit))
	}
	e := decodeEntry(r.Value)
	if e == nil {
		return 0, 0, 0, nil, false
	}
	return index, e.term, e.before, e.data, true
}
