// Package files is a model of one machine's disk as a file system: files and directories
// by path, in memory, with what a power loss makes of them. It knows neither raft nor
// jobs, and no clock but its host's timers. Package sim/disk is the same for records by
// key; the Config is shared.
//
// What was written is seen by whoever reads, also after the agent crashed: the machine is
// still up. What a power loss leaves is what was synced, and more by chance, as with ext4
// in data=ordered mode, and a bit crueler where POSIX allows it.
//
// What it may do:
//
//   - take any time for a sync, and fail it. The bytes in question are then on the disk, or
//     in memory only and taken for clean: the next sync says nothing of them, a power loss
//     takes them. So does Linux.
//   - forget names, sizes and removals that were not synced. They are journalled: a power
//     loss keeps the first so many of them, in their order. So a file whose name was not
//     synced may be gone, or be there again, or have its old name.
//   - keep the new name of a file and not its bytes. To replace a file by renaming another
//     over it needs a sync of that one before.
//   - keep any of the unsynced blocks of 4 KiB and not others, whatever the order of the
//     writes, in any version that they had; where a block was not kept there is what was
//     there before, zeros if nothing was. One block of all may be torn, between two sectors
//     of 512 bytes. A file that grew may have grown by a part.
//   - forget a rename though the renamed file was synced after it: only a sync of one of the
//     two directories, or of anything that was journalled later, makes a rename durable.
//   - keep more than was synced, at any time.
//   - be full. What needs no new block works on: to overwrite, to truncate, to remove, to
//     rename, to sync. A short write says how far it came.
//   - lie, if its Config says so: a sync succeeds and makes nothing durable.
//
// What it never does: lose what a sync has covered, do half a rename, give back bytes that
// were never written to that file at that place, show again what a truncation cut off once
// that truncation is durable, or show what was written to new blocks after a truncation
// that is not.
package files

import (
	"fmt"
	"math/rand/v2"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
)

// Host is what a disk needs of the world: timers of the machine, which run on while the
// agent is down. After never calls f before it has returned.
type Host interface {
	After(d time.Duration, f func()) (stop func())
}

const (
	// capacity is small for a disk, and much for a scheduler that keeps what it promised
	// about its memory. It bounds what a world costs its host.
	capacity = 1 << 30

	// maxNodes is what ext4 gives a disk of this size: a file for each 16 KiB.
	maxNodes = capacity / (16 << 10)
)

// Disk is the disk of one machine. Use New.
type Disk struct {
	host   Host
	chance *rand.Rand
	config disk.Config
	space  int64 // blocks that there are

	root  *node
	last  uint64 // the number of the newest node
	nodes int    // that there are, without the root
	used  int64  // blocks of them
	life  uint64 // counts power losses: handles of an earlier life are void

	journal   []change // not yet durable, in order
	committed uint64   // how many changes have become durable: journal[0] is the one after
	sealed    uint64   // changes up to this one belong to a sync that runs

	syncing []request // on their way, together
	flying  []capture // what they carry
	waiting []request // asked for while a sync runs
	stop    func()    // of the sync that runs; nil: none does
	during  func()    // to be called in the midst of the next sync; nil: nothing
}

// New returns an empty disk, with a root directory. All its chance comes from chance. It
// panics if config makes no sense.
func New(host Host, chance *rand.Rand, config disk.Config) *Disk {
	check(config)
	d := &Disk{host: host, chance: chance, config: config, space: capacity / blockSize}
	d.root = newNode(0, Directory)
	d.root.parent = d.root
	return d
}

// Configure changes how fast and how reliable the disk is: a fault begins or ends. A sync
// that runs keeps the time that it was given. It panics if config makes no sense.
func (d *Disk) Configure(config disk.Config) {
	check(config)
	d.config = config
}

func check(c disk.Config) {
	for _, r := range []netsim.Range{c.Sync, c.Slow} {
		if r.Lo < 0 || r.Hi < r.Lo {
			panic(fmt.Sprintf("files: latency %v..%v: want 0 <= lo <= hi", r.Lo, r.Hi))
		}
	}
}

// Len is how many files and directories there are, without the root, and with those that
// were removed and are still open.
func (d *Disk) Len() int { return d.nodes }

// Used is how many bytes of the disk are taken: whole blocks of files, also of zeros, also
// of removed files that are still open. Holes, names and directories take nothing.
func (d *Disk) Used() int64 { return d.used * blockSize }
