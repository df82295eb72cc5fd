// Package disk is a model of one machine's disk: small records by key, written in order,
// durable when a sync has come back. It forgets on a power loss what was not synced, and
// tears what was being written; it can be slow, full and broken. It knows neither raft nor
// jobs, and no clock but its host's timers.
//
// What it may do, as the comments of store.Disk say: take any time; fail, after which a
// record is the old one or the new one, and may look like the new one until the power
// goes; keep more than it has answered for.
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
	Full    bool   // every sync fails, and leaves the old records
	Lies    bool   // what is called durable is in memory only: no disk that one may buy
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

func (c Config) check() {
	for _, r := range []netsim.Range{c.Sync, c.Slow} {
		if r.Lo < 0 || r.Hi < r.Lo {
			panic(fmt.Sprintf("disk: latency %v..%v: want 0 <= lo <= hi", r.Lo, r.Hi))
		}
	}
}

// What Write is told when a sync fails, in the words of Linux.
const (
	errBroken = "input/output error"
	errFull   = "no space left on device"
)

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
	cached  map[string]Record // what a failed sync left in memory only: a power loss takes it
	syncing []write           // on their way to the disk, together
	waiting []write           // handed over while a sync runs
	stop    func()            // of the sync that runs
	during  func()            // to be called in the midst of the next sync; nil: nothing
}

// New returns an empty disk. It panics if config makes no sense.
func New(host Host, chance *rand.Rand, config Config) *Disk {
	config.check()
	return &Disk{host: host, chance: chance, config: config, synced: map[string][]byte{}, cached: map[string]Record{}}
}

// Configure changes how fast and how reliable the disk is: a fault begins or ends. A sync
// that runs keeps the time that it was given. It panics if config makes no sense.
func (d *Disk) Configure(config Config) {
	config.check()
	d.config = config
}

// Write hands records over. They are durable, all of them and in order, when done("") is
// called; done with another text says that the sync failed: each record is then the old
// or the new one. What is handed over while a sync runs goes together into the next one.
// Calls of done are in the order of the calls of Write, and never inside of one. Values
// are copied.
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
	if d.during != nil {
		d.host.After(took/2, d.during)
		d.during = nil
	}
}

// DuringNextSync has f called when half of the next sync is done: the worst moment for a
// power loss. A later call takes the place of one that has not come about.
func (d *Disk) DuringNextSync(f func()) { d.during = f }

// finish ends a sync. The next one is under way before anybody is told of this one, so
// that what they write then waits its turn.
func (d *Disk) finish() {
	over := d.syncing
	d.syncing, d.stop = nil, nil
	failure := ""
	switch broken := netsim.PPM(d.chance, d.config.FailPPM); {
	case d.config.Full:
		failure = errFull
	case broken:
		failure = errBroken
	}
	for _, w := range over {
		for _, r := range w.records {
			d.settle(r, failure)
		}
	}
	if len(d.waiting) > 0 {
		d.sync()
	}
	for _, w := range over {
		w.done(failure)
	}
}

// settle decides what a sync made of one record. Where it failed, the record may be on
// the disk for all that; or be seen, from memory, until the power goes, since nobody
// writes those pages again; or be gone.
func (d *Disk) settle(r Record, failure string) {
	reached, seen := failure == "" && !d.config.Lies, d.config.Lies
	if failure == errBroken {
		reached, seen = netsim.PPM(d.chance, netsim.Million/2), netsim.PPM(d.chance, netsim.Million/2)
	}
	switch {
	case reached:
		delete(d.cached, r.Key)
		put(d.synced, r)
	case seen:
		d.cached[r.Key] = r
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
// by key: all that was handed over, synced or not, since the machine is still up. It looks
// at every record there is: it is for boots.
func (d *Disk) Records(prefix string) []Record {
	found := map[string][]byte{}
	see := func(r Record) {
		if strings.HasPrefix(r.Key, prefix) {
			put(found, r)
		}
	}
	for key, value := range d.synced {
		see(Record{Key: key, Value: value})
	}
	for _, r := range d.cached { // one a key: the order is nothing
		see(r)
	}
	for _, r := range d.pending() {
		see(r)
	}
	records := make([]Record, 0, len(found))
	for key, value := range found {
		records = append(records, Record{Key: key, Value: bytes.Clone(value)})
	}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
	return records
}

// Len is how many records are on the disk, or on their way to it.
func (d *Disk) Len() int { return len(d.synced) + len(d.cached) + len(d.syncing) + len(d.waiting) }

// pending is what was handed over and not answered for, in order.
func (d *Disk) pending() []Record {
	var all []Record
	for _, w := range slices.Concat(d.syncing, d.waiting) {
		all = append(all, w.records...)
	}
	return all
}

// PowerLoss ends the machine. Of what was handed over and not answered for, in its order,
// a random number of records is on the disk. The next one may have been torn: its checksum
// tells, and what its key held before is still there, since a store writes beside the old
// value and not over it. What was seen from memory only is gone. No done is called.
func (d *Disk) PowerLoss() {
	pending := d.pending()
	for _, r := range pending[:netsim.Below(d.chance, uint64(len(pending)+1))] {
		put(d.synced, r)
	}
	if d.stop != nil {
		d.stop()
	}
	d.syncing, d.waiting, d.stop = nil, nil, nil
	clear(d.cached)
}
