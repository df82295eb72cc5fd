package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"orrery"
	"orrery/proto/orrerypb"
)

func TestOpenAsRefusesWhatNoReleaseOffered(t *testing.T) {
	for _, version := range []uint32{0, Version + 1} {
		_, err := OpenAs(version)
		want := fmt.Sprintf("open the state: version %d of apply, want 1 to 2", version)
		if orrery.CodeOf(err) != orrery.Invalid || err.Error() != want {
			t.Errorf("error %v; want %q", err, want)
		}
	}
	if s := newState(t); s.Offers() != Version || s.Meta().GetVersion() != 1 {
		t.Errorf("a new state offers %d and is at %d", s.Offers(), s.Meta().GetVersion())
	}
}

// A server of the former release stops at what it cannot obey, and says so. Nothing is
// left of the entry.
func TestAFormerReleaseStopsAtWhatItDoesNotKnow(t *testing.T) {
	clearing := &orrerypb.Command{Body: &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: "a"}}}
	raising := &orrerypb.Command{Body: &orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{Version: 2}}}
	for name, test := range map[string]struct {
		entry *orrerypb.Entry
		want  string
	}{
		"an entry that says so":        {&orrerypb.Entry{NeedsVersion: 2}, "store: entry 2 needs version 2 of apply, this server offers 1"},
		"a raise over its head":        {entryOf(raising), "store: the cluster was raised to version 2 of apply, this server offers 1"},
		"a command that it never knew": {entryOf(putCommand(2), clearing), "store: command without a body, or of a kind this version should know and does not"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAs(t, 1)
			defer func() { _ = s.Close() }()
			s.Apply(1, 1, entryOf(putCommand(1)))
			before := s.Hash()
			defer func() {
				if got := fmt.Sprint(recover()); got != test.want {
					t.Errorf("it panicked with %q, want %q", got, test.want)
				}
				if s.Hash() != before {
					t.Error("it left something behind")
				}
			}()
			s.Apply(2, 1, test.entry)
		})
	}
}

// history is a script whose state has records of all kinds, by a release.
func history(t *testing.T, release uint32) *script {
	s := newScriptAs(release)
	t.Cleanup(func() { _ = s.state.Close() })
	for _, line := range strings.Split("put a retries=1 next=1m\nput b needs=a\nrun a request=r\nassign 1 on=m1\ndone 1 ok output=x\nrun a\nassign 2 on=m1\ndone 2 fail", "\n") {
		s.run(line)
	}
	return s
}

// This release goes on where the former one stopped: from its snapshot, with its
// records, and knows more of them only once the state is raised.
func TestTheStateOfAFormerReleaseIsTakenOver(t *testing.T) {
	former, now := history(t, 1), history(t, 2)
	if former.state.Hash() != now.state.Hash() {
		t.Fatal("the two releases have two states before any of them was raised")
	}
	upgraded := newScript()
	defer func() { _ = upgraded.state.Close() }()
	if err := upgraded.state.Restore(bytes.NewReader(written(former.state, 64))); err != nil {
		t.Fatal(err)
	}
	upgraded.index, upgraded.now = former.index, former.now
	for _, line := range []string{"clear a", "raise-version 2", "put c", "assign 2 slot=0 n=2 on=m2", "done 2 ok", "chain 1 b", "clear a", "jobs"} {
		if got, want := upgraded.run(line), now.run(line); got != want {
			t.Errorf("%s: the upgraded server told\n%s\nwant\n%s", line, got, want)
		}
		if err := upgraded.state.CheckInvariants(); err != nil {
			t.Errorf("after %s: %v", line, err)
		}
	}
	if upgraded.state.Hash() != now.state.Hash() {
		t.Error("it has another state than the server that ran this release all the time")
	}
}

// A state that was raised is refused by a release that does not offer the version; that
// release's own state stays.
func TestARaisedStateIsRefusedByAFormerRelease(t *testing.T) {
	now, former := history(t, 2), history(t, 1)
	now.run("raise-version 2")
	before := former.state.Hash()
	err := former.state.Restore(bytes.NewReader(written(now.state, 1<<20)))
	if orrery.CodeOf(err) != orrery.Invalid || !strings.HasSuffix(err.Error(), "the state needs version 2 of apply, this server offers 1") {
		t.Errorf("error %v, code %q", err, orrery.CodeOf(err))
	}
	if former.state.Hash() != before {
		t.Error("its state changed")
	}
}

// What follows from the build, and not from the version that the state was raised to,
// makes two states of one while a cluster is upgraded.
func TestWhatFollowsFromTheReleaseHasOtherHashes(t *testing.T) {
	hash := func(release uint32) uint64 {
		s := newScriptAs(release)
		defer func() { _ = s.state.Close() }()
		s.state.Mutate("apply-new-early")
		s.run("put a")
		return s.state.Hash()
	}
	if hash(1) == hash(2) {
		t.Error("the states agree")
	}
}
