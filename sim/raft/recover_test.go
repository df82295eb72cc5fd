package raft

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
)

// deaf is a host on which nothing happens. It keeps what it is given.
type deaf struct {
	found     []disk.Record // at boot
	written   []disk.Record
	done      func(err string)
	delivered []string
	events    []Event
	sent      int
}

func (h *deaf) Now() time.Duration                        { return 0 }
func (h *deaf) After(time.Duration, func()) (stop func()) { return func() {} }
func (h *deaf) Send(string, []byte, bool)                 { h.sent++ }
func (h *deaf) Chance(string) bool                        { return false }
func (h *deaf) Note(e Event)                              { h.events = append(h.events, e) }
func (h *deaf) Probe(string)                              {}
func (h *deaf) Deliver(actor string, msg any) {
	h.delivered = append(h.delivered, fmt.Sprintf("%s %T", actor, msg))
}
func (h *deaf) Write(records []disk.Record, done func(err string)) {
	h.written, h.done = append(h.written, records...), done
}

func (h *deaf) Records() []disk.Record { return apply(h.found, h.written) }

func boot(h *deaf, records ...disk.Record) *Node {
	cfg := DefaultConfig()
	cfg.Self, cfg.Servers = "s1", []string{"s1", "s2", "s3"}
	slices.SortFunc(records, func(a, b disk.Record) int { return strings.Compare(a.Key, b.Key) })
	h.found = records
	return New(h, netsim.Stream(1, "boot"), cfg, records)
}

// onDisk is the record of an entry; before is the term of the one before it.
func onDisk(index, term, before uint64) disk.Record {
	value := binary.AppendUvarint(binary.AppendUvarint(nil, term), before)
	return disk.Record{Key: logKey(index), Value: fmt.Appendf(value, "%d/%d", index, term)}
}

func votedFor(term uint64, name string) disk.Record {
	return disk.Record{Key: voteKey, Value: append(binary.AppendUvarint(nil, term), name...)}
}

// snapshotOnDisk is the records of a snapshot in two pieces.
func snapshotOnDisk(id, index, term uint64) []disk.Record {
	h := &deaf{}
	n := boot(h)
	s := &snapshot{id: id, index: index, term: term}
	n.keepPiece(s, fmt.Appendf(nil, "the state at "))
	n.keepPiece(s, fmt.Appendf(nil, "%d", index))
	n.keepHead(s)
	return n.disk.collected
}

func without(records []disk.Record, key string) []disk.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r disk.Record) bool { return r.Key == key })
}

func TestRecover(t *testing.T) {
	whole := snapshotOnDisk(3, 10, 2)
	tests := map[string]struct {
		records []disk.Record
		want    string // first to last (last term), term and vote, snapshot
	}{
		"an empty disk": {nil, "1..0 (0) term 0 for , no snapshot"},
		"what was written": {
			[]disk.Record{votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 1, 1), onDisk(3, 3, 1)},
			"1..3 (3) term 3 for s2, no snapshot",
		},
		"a gap ends the log": {
			[]disk.Record{votedFor(1, "s1"), onDisk(1, 1, 0), onDisk(3, 1, 1)},
			"1..1 (1) term 1 for s1, no snapshot",
		},
		"a log does not begin in its middle": {
			[]disk.Record{votedFor(1, "s1"), onDisk(2, 1, 1), onDisk(3, 1, 1)},
			"1..0 (0) term 1 for s1, no snapshot",
		},
		"an entry that follows another one than is there ends the log": {
			[]disk.Record{votedFor(2, ""), onDisk(1, 1, 0), onDisk(2, 1, 1), onDisk(3, 2, 2)},
			"1..2 (1) term 2 for , no snapshot",
		},
		"a record that is no entry ends the log": {
			[]disk.Record{votedFor(1, "s1"), onDisk(1, 1, 0), {Key: logKey(2), Value: []byte{0x80}}, onDisk(3, 1, 1)},
			"1..1 (1) term 1 for s1, no snapshot",
		},
		"a vote that was lost was not given in the term of the log": {
			[]disk.Record{votedFor(1, "s1"), onDisk(1, 1, 0), onDisk(2, 4, 1)},
			"1..2 (4) term 4 for , no snapshot",
		},
		"a snapshot alone": {whole, "11..10 (2) term 2 for , snapshot 3 at 10: the state at 10"},
		"a snapshot, what trails it and a tail": {
			append(slices.Clone(whole), votedFor(5, "s3"), onDisk(9, 1, 1), onDisk(10, 2, 1), onDisk(11, 2, 2), onDisk(12, 5, 2)),
			"9..12 (5) term 5 for s3, snapshot 3 at 10: the state at 10",
		},
		"a trail with a gap is kept above it": {
			append(slices.Clone(whole), onDisk(7, 1, 1), onDisk(9, 1, 1), onDisk(10, 2, 1), onDisk(11, 2, 2)),
			"9..11 (2) term 2 for , snapshot 3 at 10: the state at 10",
		},
		"a log that contradicts the snapshot goes": {
			append(slices.Clone(whole), onDisk(9, 1, 1), onDisk(10, 1, 1), onDisk(11, 1, 1)),
			"11..10 (2) term 2 for , snapshot 3 at 10: the state at 10",
		},
		"a tail that follows the snapshot without its entry": {
			append(slices.Clone(whole), onDisk(11, 2, 2), onDisk(12, 2, 2)),
			"11..12 (2) term 2 for , snapshot 3 at 10: the state at 10",
		},
		"a snapshot without its head is none": {
			append(without(whole, headKey(3)), onDisk(1, 1, 0)),
			"1..1 (1) term 1 for , no snapshot",
		},
		"a snapshot without a piece is none": {
			append(without(whole, pieceKey(3, 1)), onDisk(1, 1, 0)),
			"1..1 (1) term 1 for , no snapshot",
		},
		"a snapshot with another piece is none": {
			append(without(whole, pieceKey(3, 1)), disk.Record{Key: pieceKey(3, 1), Value: []byte("11")}),
			"1..0 (0) term 0 for , no snapshot",
		},
		"the newer of two snapshots": {
			append(snapshotOnDisk(4, 20, 3), whole...),
			"21..20 (3) term 3 for , snapshot 4 at 20: the state at 20",
		},
		"the older of two snapshots when the newer is not whole": {
			append(without(snapshotOnDisk(4, 20, 3), pieceKey(4, 0)), whole...),
			"11..10 (2) term 2 for , snapshot 3 at 10: the state at 10",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &deaf{}
			n := boot(h, test.records...)
			if got := describe(n); got != test.want {
				t.Fatalf("got  %s\nwant %s", got, test.want)
			}
			// What is on the disk when all is written is the same, and nothing else.
			n.Start()
			for h.done != nil {
				done := h.done
				h.done = nil
				done("")
			}
			left := apply(test.records, h.written)
			if got := describe(boot(&deaf{}, left...)); got != test.want {
				t.Errorf("a second boot gets  %s\nwant %s", got, test.want)
			}
			if want := wanted(n); len(left) != want {
				t.Errorf("%d records are left on the disk, want %d", len(left), want)
			}
		})
	}
}

func describe(n *Node) string {
	first, last := n.Bounds()
	text := fmt.Sprintf("%d..%d (%d) term %d for %s, ", first, last, n.log.lastTerm(), n.term, n.vote)
	for i := first; i <= last; i++ {
		if term, data, _ := n.Entry(i); string(data) != fmt.Sprintf("%d/%d", i, term) {
			text += fmt.Sprintf("entry %d is %q, ", i, data)
		}
	}
	if n.snap == nil {
		return text + "no snapshot"
	}
	return text + fmt.Sprintf("snapshot %d at %d: %s", n.snap.id, n.snap.index, n.snap.data)
}

// apply returns what is on a disk with records after writes.
func apply(records, writes []disk.Record) []disk.Record {
	for _, w := range writes {
		records = without(records, w.Key)
		if !w.Delete {
			records = append(records, w)
		}
	}
	return records
}

// wanted is how many records the disk of n should hold.
func wanted(n *Node) int {
	count := len(n.log.entries)
	if n.term > 0 {
		count++
	}
	if n.snap != nil {
		count += int(n.snap.pieces) + 1
	}
	return count
}

// TestNothingIsAnsweredBeforeTheBootIsDurable: a former life may have handed over what
// the disk then lost, so what is found at boot counts only when it is written again.
func TestNothingIsAnsweredBeforeTheBootIsDurable(t *testing.T) {
	h := &deaf{}
	n := boot(h, votedFor(3, "s2"), onDisk(1, 1, 0), onDisk(2, 3, 1))
	n.Start()
	n.Receive("s2", encode(&message{kind: appendEntries, term: 3, index: 2, logTerm: 3, commit: 2, round: 1}))
	n.Receive("s2", encode(&message{kind: vote, term: 3, index: 2, logTerm: 3}))
	if h.sent != 0 || slices.Contains(h.delivered, "store store.Committed") {
		t.Fatalf("before the disk has written: %d frames sent, delivered %v", h.sent, h.delivered)
	}
	h.done("")
	committed := slices.DeleteFunc(h.delivered, func(s string) bool { return s != "store store.Committed" })
	if h.sent != 2 || len(committed) != 2 {
		t.Errorf("after it: %d frames and %d entries, want 2 and 2", h.sent, len(committed))
	}
}

func TestBadFramesAreNotedAndDropped(t *testing.T) {
	tests := map[string]struct {
		from, want string
		frame      []byte
	}{
		"from a stranger": {"m9", "it is from no server of this cluster", encode(&message{kind: timeoutNow})},
		"from itself":     {"s1", "it is from no server of this cluster", encode(&message{kind: timeoutNow})},
		"cut short":       {"s2", "truncated", []byte{version, byte(vote), 0, 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &deaf{}
			n := boot(h)
			n.Receive(test.from, test.frame)
			want := Event{Kind: BadFrame, Peer: test.from, Text: test.want}
			if len(h.events) != 1 || h.events[0] != want || n.Term() != 0 {
				t.Errorf("noted %v at term %d, want %v at 0", h.events, n.Term(), want)
			}
		})
	}
}
