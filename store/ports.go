package store

import "io"

// Log is the replicated log as one server sees it. Calls return at once; what comes
// of them arrives as messages: those marked (Store) go to the Store actor, in one
// order that is the log's; those marked (Proposer) and (Dispatcher) to these actors.
//
// What a log may do to its user, and every implementation under test does:
//   - take any time to answer, or never answer a Propose (the member was paused or cut off);
//   - answer Unknown and commit the entry later, under the same term or none;
//   - commit entries of other members between two of ours, and ours after leadership was lost;
//   - gain and lose leadership at any moment, also twice within the life of one proposal;
//   - say LeadershipGained on one server while a deposed one still believes it leads;
//   - begin with a snapshot and a tail of entries after a restart, or replace the whole
//     state by a snapshot while running;
//   - ask for a snapshot at any moment, and abandon it half way.
//
// What it never does: deliver an index twice or out of order to one incarnation of a
// server, deliver an entry that another server sees otherwise, say LeadershipGained
// before all entries of earlier terms were delivered, have two leaders in one term.
type Log interface {
	// Propose asks that entry be appended under term. The outcome is the delivery of
	// the entry itself (whoever proposed it finds its ticket inside), or ProposalFailed
	// with the same seq. A log that does not lead in term refuses.
	Propose(seq, term uint64, entry []byte)

	// Verify begins a quorum check after the call: Verified{seq, true} proves that this
	// server led in term at some moment after the call.
	Verify(seq, term uint64)

	// TransferLeadership asks to hand leadership to the best follower. Nothing may come of it.
	TransferLeadership()

	// Servers lists those whose votes count now: the members of the log, whoever of them is
	// up. The slice is not to be changed.
	Servers() []string

	// Applied tells that the Store has applied all up to index: the log may send more.
	Applied(index uint64)

	// SnapshotChunk answers SnapshotWanted and NextChunk: the next piece of the
	// snapshot id, taken at index. last: there is no more.
	SnapshotChunk(id, index uint64, chunk []byte, last bool)

	// Restored answers Restore.
	Restored(id uint64, err error)
}

// Committed is one entry of the log. (Store)
type Committed struct {
	Index, Term uint64
	Entry       []byte // empty for entries of the log's own
}

// LeadershipGained: this server leads in Term and the Store has been given all that
// was committed before. (Store)
type LeadershipGained struct{ Term uint64 }

// LeadershipLost: this server no longer leads in Term. (Store)
type LeadershipLost struct{ Term uint64 }

// LeaderChanged: as far as this server knows, Leader leads in Term; "" is nobody. (Store)
type LeaderChanged struct {
	Term   uint64
	Leader string
}

// ProposalFailed: the entry was refused, which means it will never be applied, or its
// fate is unknown. (Proposer)
type ProposalFailed struct {
	Seq     uint64
	Unknown bool
}

// Verified answers Verify. (Dispatcher or Gateway: whoever VerifierOf(Seq) names.)
type Verified struct {
	Seq uint64
	OK  bool
}

// The actors that begin quorum checks.
const (
	VerifierDispatcher uint8 = 1
	VerifierGateway    uint8 = 2
)

// VerifySeq is the sequence number of an actor's n-th quorum check: the actor stands
// in the highest byte, so that the log knows whom to answer. n stays below 2^56.
func VerifySeq(actor uint8, n uint64) uint64 { return uint64(actor)<<56 | n&(1<<56-1) }

// VerifierOf says which actor began the quorum check seq.
func VerifierOf(seq uint64) uint8 { return uint8(seq >> 56) }

// SnapshotWanted asks for the state as it is now, piece by piece. A wanted snapshot
// replaces one that was not finished. (Store)
type SnapshotWanted struct{ ID uint64 }

// NextChunk asks for the next piece. (Store)
type NextChunk struct{ ID uint64 }

// Restore replaces the whole state by a snapshot that was taken at Index in Term. (Store)
type Restore struct {
	ID          uint64
	Index, Term uint64
	From        io.Reader
}

// Disk keeps small records of a member, by key. Calls return at once; the answer is a
// DiskDone message to the actor that owns the key space. Records present at boot are
// handed to the owner's constructor.
//
// What a disk may do: take any time; fail (full, I/O error), after which the record is
// the old one or the new one; lose whatever it has not answered for when the power
// goes, tearing the last record (a torn record is noticed by its checksum and read as
// absent or old, never as something else); keep more than it has answered for.
// A crash of the agent alone loses nothing that was handed over.
type Disk interface {
	Put(key string, value []byte)
	Delete(key string)
}

// DiskDone answers Put and Delete, in the order of the calls. Err is "" when the
// record is durable.
type DiskDone struct {
	Key string
	Err string
}
