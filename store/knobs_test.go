package store

import (
	"strings"
	"testing"
)

// Each rule that can be broken on purpose is broken by a few commands, and somebody
// notices: the invariants, or a script, whose output is no longer what is written.
func TestBrokenRulesAreNoticed(t *testing.T) {
	const (
		invariants = "the invariants"
		script     = "the script"
	)
	tests := map[string]struct {
		commands string
		notices  string
	}{
		"fire-without-check": {"put a next=10s\n fire a fires=10s next=20s\n fire a due=10s fires=10s next=20s", invariants},
		"ignore-pause":       {"put a next=10s\n pause\n fire a fires=10s next=20s", script},
		"no-overlap-check":   {"put a overlap=skip\n run a\n run a", invariants},
		"retry-for-ever":     {"put a\n run a\n assign 1 on=m1\n done 1 fail", invariants},
		"no-backoff":         {"put a retries=1\n run a\n assign 1 on=m1\n done 1 fail", invariants},
		"ignore-cancel":      {"put a retries=1\n run a\n assign 1 on=m1\n cancel 1\n done 1 fail", invariants},
		"late-counts":        {"put a\n run a\n assign 1 on=m1\n lost 1\n done 1 ok\n jobs", script},
		"fence-reuse":        {"put a\n run a\n assign 1 on=m1\n run a\n assign 2 on=m1", invariants},
		"keep-outbox-row":    {"put a\n put b needs=a\n run a\n assign 1 on=m1\n done 1 ok\n chain 1 b\n chain 1 b", invariants},
		"forget-outbox":      {"put a\n put b needs=a\n run a\n assign 1 on=m1\n done 1 ok", invariants},
		"forget-requests":    {"put a\n run a request=r\n run a request=r", invariants},
		"diverge":            {"put a\n run a\n put b\n assign 1 on=m1", script},

		"apply-new-early":        {"put a", invariants},
		"old-record-drops-field": {"put a next=10s\n raise-version 2\n run a\n jobs", script},

		"snapshot-without-outbox":   {"put a\n put b needs=a\n run a\n assign 1 on=m1\n done 1 ok\n snapshot\n restore", invariants},
		"snapshot-forgets-requests": {"put a\n run a request=r\n snapshot\n restore", invariants},
		"snapshot-of-now":           {"put a\n snapshot\n put b\n restore\n jobs", script},
		"restore-keeps-old-rows":    {"put a\n snapshot\n put b\n restore", invariants},
	}
	for _, knob := range Knobs {
		if _, ok := tests[knob.Name]; !ok {
			t.Errorf("no test breaks %s", knob.Name)
		}
	}
	for knob, test := range tests {
		t.Run(knob, func(t *testing.T) {
			whole, wrong := runCommands(t, test.commands)
			if wrong != nil {
				t.Fatalf("with all rules whole: %v", wrong)
			}
			broken, wrong := runCommands(t, "knob "+knob+"\n"+test.commands)
			switch {
			case test.notices == invariants && wrong == nil:
				t.Error("the invariants hold")
			case test.notices == script && broken == whole:
				t.Error("the script prints the same")
			}
		})
	}
}

func runCommands(t *testing.T, commands string) (printed string, wrong error) {
	s := newScript()
	defer func() { _ = s.state.Close() }()
	for _, line := range strings.Split(commands, "\n") {
		printed += s.run(strings.TrimSpace(line))
	}
	return printed, s.state.CheckInvariants()
}

// A server that restarted applies the same entries to another state: that is what the
// promise that states agree is for.
func TestDivergingServersHaveOtherHashes(t *testing.T) {
	hash := func(restarted bool) uint64 {
		s := newScript()
		defer func() { _ = s.state.Close() }()
		s.state.Mutate("diverge")
		s.run("put a")
		s.run("run a")
		if restarted {
			s.state.applied = 0 // as after a snapshot
		}
		s.run("assign 1 on=m1")
		return s.state.Hash()
	}
	if hash(true) == hash(false) {
		t.Error("the states agree")
	}
}

func TestMutateRefusesWhatIsNoKnob(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was accepted")
		}
	}()
	new(State).Mutate("be-nice")
}
