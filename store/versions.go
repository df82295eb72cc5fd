package store

import (
	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// definition is one version of a job, as the state has it and as the words say it.
// It never changes, so it is shared by all who ask.
type definition struct {
	record *orrerypb.JobRecord
	job    orrery.Job // with its defaults
}

// versionsCached is how many decoded versions are kept at hand: enough for all jobs
// that come due in the same minute on a large cluster, some 10 MB at most.
const versionsCached = 4096

// versions keeps decoded versions of jobs. It is a clock: a version used since the
// hand last passed is spared once. What it holds can be seen in nothing but time.
type versions struct {
	at   map[[2]uint64]int // uid, version → place on the dial
	dial []cached
	hand int
}

type cached struct {
	id   [2]uint64
	def  *definition
	used bool
}

func (v *versions) get(uid, version uint64) *definition {
	i, ok := v.at[[2]uint64{uid, version}]
	if !ok {
		return nil
	}
	v.dial[i].used = true
	return v.dial[i].def
}

func (v *versions) put(def *definition) {
	id := [2]uint64{def.record.Uid, def.record.Version}
	if v.at == nil {
		v.at = make(map[[2]uint64]int)
	}
	if len(v.dial) < versionsCached {
		v.at[id] = len(v.dial)
		v.dial = append(v.dial, cached{id: id, def: def})
		return
	}
	for v.dial[v.hand].used {
		v.dial[v.hand].used = false
		v.hand = (v.hand + 1) % len(v.dial)
	}
	delete(v.at, v.dial[v.hand].id)
	v.dial[v.hand] = cached{id: id, def: def}
	v.at[id] = v.hand
	v.hand = (v.hand + 1) % len(v.dial)
}

// drop takes out a version that the state no longer keeps.
func (v *versions) drop(uid, version uint64) {
	i, ok := v.at[[2]uint64{uid, version}]
	if !ok {
		return
	}
	delete(v.at, v.dial[i].id)
	last := len(v.dial) - 1
	if i != last {
		v.dial[i] = v.dial[last]
		v.at[v.dial[i].id] = i
	}
	v.dial = v.dial[:last]
	v.hand = min(v.hand, max(last-1, 0))
}

func (v *versions) clear() { *v = versions{} }

// define reads a version in the words.
func define(record *orrerypb.JobRecord) *definition {
	job := proto.ToJob(record.Job).WithDefaults(orrery.ClusterConfig{})
	return &definition{record: record, job: job}
}

// definition returns a version of a job; nil: it is no longer kept.
func (s *State) definition(t *tx, uid, version uint64) *definition {
	if def := s.versions.get(uid, version); def != nil {
		return def
	}
	record := loadDefinition(t, uid, version)
	if record == nil {
		return nil
	}
	def := define(record)
	s.versions.put(def)
	return def
}
