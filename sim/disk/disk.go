// Package disk is a model of one machine's disk: small records by key, written in order,
// durable when a sync has come back. It forgets on a power loss what was not synced, and
// tears what was being written; it can be slow and it can fail. It knows neither raft nor
// jobs, and no clock but its host's timers.
//
// What it never does: lose a record that it said was durable, or give back anything else
// than what was once written under a key, or nothing.
package disk

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"orrery/netsim"
)

// Host is what a disk needs of the world: timers of the machine, which run on while the
// agent is down.
type Host interface {
	After(d time.Duration, f func()) (stop func())
}

// Record is one write: a value for a key, or the end of it.
type Record struct {
	Key    string
	Value  []byte
	Delete bool
}

// Config is how fast and how reliable a disk is. The zero value is instant and never
// fails on its own.
type Config struct {
	Sync    netsim.Range // how long a sync takes
	SlowPPM uint32       // of a million syncs, so many take Slow instead
	Slow    netsim.Range
	FailPPM uint32 // of a million syncs, so many fail
}

// DefaultConfig is a solid-state disk of a cloud machine: a sync takes a millisecond, and
// one in a thousand meets somebody else's load. It does not fail on its own.
func DefaultConfig() Config {
	return Config{
		Sync:    netsim.Range{Lo: 200 * time.Microsecond, Hi: 2 * time.Millisecond},
		SlowPPM: 1_000,
		Slow:    netsim.Range{Lo: 20 * time.Millisecond, Hi: 50 * time.Millisecond},
	}
}

// write is a batch that was handed over, from one call of Write.
type write struct {
	records []Record
	done    func(err string)
}

// Disk is the disk of one machine. Use New.
type Disk struct {
	host   Host
	chance *rand.Rand
	config Config

	synced  map[string][]byte // what a power loss leaves
	syncing []write           // on their way to the disk, together
	waiting []write           // handed over while a sync runs
	stop    func()            // of the sync that runs
}

// New returns an empty disk. It panics if config makes no sense.
func New(host Host, chance *rand.Rand, config Config) *Disk {
	for _, r := range []netsim.Range{config.Sync, config.Slow} {
		if r.Lo < 0 || r.Hi < r.Lo {
			panic(fmt.Sprintf("disk: latency %v..%v: want 0 <= lo <= hi", r.Lo, r.Hi))
		}
	}
	return &Disk{host: host, chance: chance, config: config, synced: map[string][]byte{}}
}

// Write hands records over. They are durable, all of them and in order, when done("") is
// called; done with another text says that the sync failed: each record is then the old
// or the new one. What is handed over while a sync runs goes together into the next one.
// Values are copied.
func (d *Disk) Write(records []Record, done func(err string)) {
	own := slices.Clone(records)
	for i := range own {
		own[i].Value = bytes.Clone(own[i].Value)
	}
	d.waiting = append(d.waiting, write{own, done})
	if d.stop == nil {
		d.sync()
	}
}

func (d *Disk) sync() {
	d.syncing, d.waiting = d.waiting, nil
	took := netsim.Between(d.chance, d.config.Sync.Lo, d.config.Sync.Hi)
	if slow := netsim.Between(d.chance, d.config.Slow.Lo, d.config.Slow.Hi); netsim.PPM(d.chance, d.config.SlowPPM) {
		took = slow
	}
	d.stop = d.host.After(took, d.finish)
}

// finish ends a sync: what it carried is on the disk.
func (d *Disk) finish() {
	done := d.syncing
	d.syncing, d.stop = nil, nil
	fails := netsim.PPM(d.chance, d.config.FailPPM)
	for _, w := range done {
		for _, r := range w.records {
			if !fails || netsim.PPM(d.chance, netsim.Million/2) {
				put(d.synced, r)
			}
		}
	}
	if len(d.waiting) > 0 {
		d.sync()
	}
	err := ""
	if fails {
		err = "input/output error"
	}
	for _, w := range done {
		w.done(err)
	}
}

func put(into map[string][]byte, r Record) {
	if r.Delete {
		delete(into, r.Key)
	} else {
		into[r.Key] = r.Value
	}
}

// Records returns what a process that starts now finds under keys that begin with prefix,
// by key: all that was handed over, synced or not, since the machine is still up.
func (d *Disk) Records(prefix string) []Record {
	found := map[string][]byte{}
	for key, value := range d.synced {
		if strings.HasPrefix(key, prefix) {
			found[key] = value
		}
	}
	for _, w := range slices.Concat(d.syncing, d.waiting) {
		for _, r := range w.records {
			if strings.HasPrefix(r.Key, prefix) {
				put(found, r)
			}
		}
	}
	records := make([]Record, 0, len(found))
	for key, value := range found {
		records = append(records, Record{Key: key, Value: bytes.Clone(value)})
	}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
	return records
}

// PowerLoss ends the machine. Of what was handed over and not synced, in its order, a
// random number of records is on the disk. The next one was torn: its checksum tells, so
// its key holds what it held before, or nothing. No done is called.
func (d *Disk) PowerLoss() {
	var pending []Record
	for _, w := range slices.Concat(d.syncing, d.waiting) {
		pending = append(pending, w.records...)
	}
	for _, r := range pending[:netsim.Below(d.chance, uint64(len(pending)+1))] {
		put(d.synced, r)
	}
	if d.stop != nil {
		d.stop()
	}
	d.syncing, d.waiting, d.stop = nil, nil, nil
}
