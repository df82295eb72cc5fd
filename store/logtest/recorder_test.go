package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"orrery/store"
)

// dumb is a log that says nothing of itself.
type dumb struct{ applied uint64 }

func (*dumb) Propose(uint64, uint64, []byte)             {}
func (*dumb) Verify(uint64, uint64)                      {}
func (*dumb) TransferLeadership()                        {}
func (*dumb) Servers() []string                          { return nil }
func (d *dumb) Applied(index uint64)                     { d.applied = index }
func (*dumb) SnapshotChunk(uint64, uint64, []byte, bool) {}
func (*dumb) Restored(uint64, error)                     {}

// catcher is a test whose failure is wanted.
type catcher struct{}

func (catcher) Helper() {}

func (catcher) Fatalf(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func verdictOn(breach func(r *Recorder)) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = reason.(error)
		}
	}()
	log := &dumb{}
	r := NewRecorder(catcher{}, 2, func(int) store.Log { return log })
	r.Begin(0)
	r.Begin(1)
	breach(r)
	r.React()
	return errors.New("nothing to say")
}

// TestRecorderNotices plays what no log may do.
func TestRecorderNotices(t *testing.T) {
	entry := func(index, term uint64, data string) store.Committed {
		return store.Committed{Index: index, Term: term, Entry: []byte(data)}
	}
	tests := map[string]struct {
		breach func(r *Recorder)
		want   string
	}{
		"nothing wrong": {func(r *Recorder) {
			for i := range 2 {
				r.Deliver(i, entry(1, 1, ""))
				r.Deliver(i, entry(2, 1, "a"))
			}
			r.Deliver(0, store.LeadershipGained{Term: 1})
			r.Deliver(0, store.LeadershipLost{Term: 1})
			r.Deliver(1, store.LeadershipGained{Term: 2})
		}, "nothing to say"},
		"a gap":          {func(r *Recorder) { r.Deliver(0, entry(2, 1, "a")) }, "was given index 2 after 0"},
		"an index twice": {func(r *Recorder) { r.Deliver(0, entry(1, 1, "a")); r.Deliver(0, entry(1, 1, "a")) }, "was given index 1 after 1"},
		"two logs": {func(r *Recorder) {
			r.Deliver(0, entry(1, 1, "a"))
			r.Deliver(1, entry(1, 1, "b"))
		}, "another one"},
		"terms that go back": {func(r *Recorder) { r.Deliver(0, entry(1, 2, "a")); r.Deliver(0, entry(2, 1, "b")) }, "terms do not go back"},
		"an entry twice": {func(r *Recorder) {
			r.Deliver(0, entry(1, 1, "a"))
			r.Deliver(0, entry(2, 1, "a"))
		}, "was proposed once and committed at 1 and 2"},
		"what was refused": {func(r *Recorder) {
			p := r.Propose(0, 1)
			r.Deliver(0, store.ProposalFailed{Seq: 1})
			r.React()
			r.Deliver(0, entry(1, 1, p.Data))
		}, "was refused and committed"},
		"refused after it was committed": {func(r *Recorder) {
			p := r.Propose(0, 1)
			r.Deliver(1, entry(1, 1, p.Data))
			r.Deliver(0, store.ProposalFailed{Seq: 1})
		}, "was committed at 1 and refused"},
		"two failures of one proposal": {func(r *Recorder) {
			r.Propose(0, 1)
			r.Deliver(0, store.ProposalFailed{Seq: 1, Unknown: true})
			r.Deliver(0, store.ProposalFailed{Seq: 1, Unknown: true})
		}, "heard before"},
		"two leaders in a term": {func(r *Recorder) {
			r.Deliver(0, store.LeadershipGained{Term: 3})
			r.Deliver(1, store.LeadershipGained{Term: 3})
		}, "both gained leadership in term 3"},
		"gained before all was given": {func(r *Recorder) {
			r.Deliver(0, entry(1, 1, "a"))
			r.Deliver(1, store.LeadershipGained{Term: 2})
		}, "was given 0 of 1 entries of earlier terms"},
		"gained, and an earlier entry afterwards": {func(r *Recorder) {
			r.Deliver(1, store.LeadershipGained{Term: 2})
			r.Deliver(0, entry(1, 1, "a"))
		}, "gained leadership in term 2 when it had been given 0 entries"},
		"gained twice": {func(r *Recorder) {
			r.Deliver(0, store.LeadershipGained{Term: 2})
			r.Deliver(0, store.LeadershipGained{Term: 3})
		}, "never lost it in 2"},
		"lost and never had": {func(r *Recorder) { r.Deliver(0, store.LeadershipLost{Term: 2}) }, "lost leadership in term 2"},
		"an old leader after a new": {func(r *Recorder) {
			r.Deliver(0, store.LeaderChanged{Term: 3, Leader: "b"})
			r.Deliver(0, store.LeaderChanged{Term: 2, Leader: "a"})
		}, "hears of the leader of term 2 after that of 3"},
		"verified though deposed": {func(r *Recorder) {
			r.Deliver(1, store.LeadershipGained{Term: 3})
			r.Verify(0, 2)
			r.Deliver(0, store.Verified{Seq: store.VerifySeq(store.VerifierGateway, 1), OK: true})
		}, "when a later term had a leader before it asked"},
		"a check that nobody began": {func(r *Recorder) { r.Deliver(0, store.Verified{Seq: 5}) }, "which it did not begin"},
		"a snapshot of what it has": {func(r *Recorder) {
			r.Deliver(0, entry(1, 1, "a"))
			r.Deliver(0, store.Restore{ID: 1, Index: 1, Term: 1, From: bytes.NewReader(nil)})
		}, "is to restore index 1 after it was given 1"},
		"a snapshot of something else": {func(r *Recorder) {
			r.Deliver(0, entry(1, 1, "a"))
			r.Deliver(1, store.Restore{ID: 1, Index: 1, Term: 1, From: bytes.NewReader(encode([]Entry{{1, 1, "b"}}))})
		}, "entries that are not those of the log"},
		"a snapshot cut short": {func(r *Recorder) {
			r.Deliver(1, store.Restore{ID: 1, Index: 2, Term: 1, From: bytes.NewReader(encode([]Entry{{1, 1, "b"}}))})
		}, "should end with index 2"},
		"a word to the dead": {func(r *Recorder) { r.End(1); r.Deliver(1, entry(1, 1, "a")) }, "server 1 is down"},
		"a word of its own":  {func(r *Recorder) { r.Deliver(1, "hello") }, "no message of the port"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := verdictOn(test.breach); !strings.Contains(err.Error(), test.want) {
				t.Errorf("says %q, want %q", err, test.want)
			}
		})
	}
}
