package actors

import (
	"strings"
	"testing"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

func clearHistory(job string) *orrerypb.Request {
	return &orrerypb.Request{RequestId: "r1", Body: &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: job}}}
}

// raised answers a ReadJob from a state that was raised to a version.
func raised(read ReadJob, version uint32) JobRead {
	answer := jobOf(read, 1)
	answer.Version = version
	return answer
}

// TestAHistoryIsClearedOnceEveryServerKnowsHow: until the state was raised, the client is
// told so and nothing is proposed; the same request is taken once it was.
func TestAHistoryIsClearedOnceEveryServerKnowsHow(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, clearHistory("a")))
	env.give(raised(asked[ReadJob](t, env), 1))
	r := answered(t, env)
	if codeOf(r) != orrery.Conflict || !strings.Contains(r.GetAnswer().GetText(), "needs version 2 of apply and the cluster is at 1") {
		t.Fatalf("answered %v", r)
	}
	env.give(ask(2, clearHistory("a")))
	env.give(raised(asked[ReadJob](t, env), 2))
	p := asked[Propose](t, env)
	if p.Command.GetClearHistory().GetJob() != "a" || p.Command.GetRequestId() != "r1" ||
		p.Command.GetAtNs() != fakeEpoch.UnixNano() || p.Command.GetIssuedNs() != fakeEpoch.UnixNano() {
		t.Fatalf("proposed %v", p.Command)
	}
	env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Uid: 4, Changed: true}})
	if r := answered(t, env); codeOf(r) != "" || r.GetAnswer().GetUid() != 4 {
		t.Fatalf("answered %v", r)
	}
}

// TestAClearThatTheGatewayDoesNotHoldBack is the rule broken on purpose.
func TestAClearThatTheGatewayDoesNotHoldBack(t *testing.T) {
	env, _ := newLeadingGateway()
	env.knobs[KnobApplyNewEarly] = true
	env.give(ask(1, clearHistory("a")))
	env.give(raised(asked[ReadJob](t, env), 1))
	if p := asked[Propose](t, env); store.NeedsVersion(p.Command) != 2 {
		t.Fatalf("proposed %v", p.Command)
	}
}

// TestAnEntryNeedsWhatItsCommandsNeed, and no more: a server of the former release stops
// at an entry that it cannot obey, and at no other.
func TestAnEntryNeedsWhatItsCommandsNeed(t *testing.T) {
	env, log := newTestProposer()
	env.give(LeadershipGained{Term: 1})
	clearing := propose(1, 2)
	clearing.Command = &orrerypb.Command{Body: &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: "a"}}}
	env.give(propose(1, 1), clearing, propose(1, 3), propose(1, 4))
	var needs []uint32
	for _, p := range log.proposed {
		needs = append(needs, p.entry.GetNeedsVersion())
	}
	if len(needs) != 4 || needs[0] != 1 || needs[1] != 2 || needs[2] != 1 || needs[3] != 1 {
		t.Fatalf("the entries need %v", needs)
	}
	env.give(propose(1, 5), clearing, propose(1, 6)) // all flights are taken: one entry
	env.give(Applied{Seq: 1, Answers: answersFor(log.proposed[0].entry)})
	if e := log.proposed[4].entry; len(e.GetCommands()) != 3 || e.GetNeedsVersion() != 2 {
		t.Fatalf("%d commands, the entry needs %d", len(e.GetCommands()), e.GetNeedsVersion())
	}
}
