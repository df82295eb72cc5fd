package store

import (
	"google.golang.org/protobuf/proto"

	"orrery/proto/orrerypb"
)

// encode gives equal messages equal bytes on every server, which the hash of the state
// is made of.
func encode(m proto.Message) string {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(err)
	return string(data)
}

// decode reads a record that encode wrote. Fields that this build does not know are
// kept and written again.
func decode(value string, into proto.Message) {
	must(proto.Unmarshal([]byte(value), into))
}

// loadMeta returns the settings and counters of the whole state.
func loadMeta(t *tx) *orrerypb.StateMeta {
	m := &orrerypb.StateMeta{Version: 1}
	if value, ok := t.get(metaKey); ok {
		decode(value, m)
	}
	return m
}

// lookupName returns the uid of the job that bears the name now.
func lookupName(t *tx, name string) (uid uint64, ok bool) {
	value, ok := t.get(nameKey(name))
	if !ok {
		return 0, false
	}
	return parseNumber(value), true
}

// loadJob returns the state of a job, deleted ones included while something of them is
// kept; nil: there is none.
func loadJob(t *tx, uid uint64) *orrerypb.JobState {
	value, ok := t.get(jobKey(uid))
	if !ok {
		return nil
	}
	j := new(orrerypb.JobState)
	decode(value, j)
	return j
}

// loadDefinition returns a version of a job; nil: it is no longer kept.
func loadDefinition(t *tx, uid, version uint64) *orrerypb.JobRecord {
	value, ok := t.get(defKey(uid, version))
	if !ok {
		return nil
	}
	r := new(orrerypb.JobRecord)
	decode(value, r)
	return r
}

// loadExecution returns an execution, open or closed; nil: there is none.
func loadExecution(t *tx, id uint64) *orrerypb.ExecutionRecord {
	value, ok := t.get(execKey(id))
	if !ok {
		return nil
	}
	x := new(orrerypb.ExecutionRecord)
	decode(value, x)
	return x
}

// firstID is the number that ends the first key with the prefix.
func firstID(t *tx, prefix string) (id uint64, ok bool) {
	t.scan(prefix, "", func(key, _ string) bool {
		id, ok = lastNumber(key), true
		return false
	})
	return id, ok
}

// firstTime is the instant that the first key of a space ordered by time begins with.
func firstTime(t *tx, space string) (at int64) {
	t.scan(space, "", func(key, _ string) bool {
		at = timeOf(space, key)
		return false
	})
	return at
}

// allIDs are the numbers that end the keys with the prefix, in the order of the keys.
func allIDs(t *tx, prefix string) []uint64 {
	var ids []uint64
	t.scan(prefix, "", func(key, _ string) bool {
		ids = append(ids, lastNumber(key))
		return true
	})
	return ids
}

// openIDs are the executions of a job that are not closed, oldest first.
func openIDs(t *tx, uid uint64) []uint64 { return allIDs(t, openPrefix(uid)) }

// pastIDs are the closed executions of a job that are kept, oldest first.
func pastIDs(t *tx, uid uint64) []uint64 { return allIDs(t, pastPrefix(uid)) }

// dependentIDs are the uids of the jobs that run after the one named.
func dependentIDs(t *tx, name string) []uint64 { return allIDs(t, edgePrefix(name)) }
