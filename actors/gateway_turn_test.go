package actors

import (
	"testing"

	"orrery"
	"orrery/proto/orrerypb"
)

// written is a request to write a job, under an id.
func written(job, id string) *orrerypb.Request {
	request := putJob(shell(job, "@manually"))
	request.RequestId = id
	return request
}

// takeTurn answers the read and the proposal of the write whose turn it is, and returns its
// request id.
func takeTurn(t *testing.T, env *fakeEnv, read ReadJob) (id string) {
	t.Helper()
	env.give(jobOf(read, 0))
	p := asked[Propose](t, env)
	env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{Uid: 4, Version: 1, Changed: true}})
	return p.Command.GetRequestId()
}

// TestWritesOfAJobGoOneAfterTheOther: computed from one state they would thwart each
// other. The newest goes next; other jobs are not held up.
func TestWritesOfAJobGoOneAfterTheOther(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, written("a", "first")))
	read := asked[ReadJob](t, env)
	env.give(ask(2, written("a", "second")), ask(3, written("a", "third")), ask(4, written("a", "fourth")))
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("before the first is decided: %v", sent)
	}
	env.give(ask(5, written("b", "other")))
	if other := asked[ReadJob](t, env); other.Name != "b" {
		t.Fatalf("of another job it read %v", other)
	}
	for i, want := range []string{"first", "fourth", "third", "second"} {
		if got := takeTurn(t, env, read); got != want {
			t.Fatalf("turn %d was that of %s, want %s", i, got, want)
		}
		sent := env.taken()
		if answers := ofType[Answered](sent); len(answers) != 1 || answers[0].Response.GetAnswer().GetVersion() != 1 {
			t.Fatalf("told %v", answers)
		}
		if reads := ofType[ReadJob](sent); len(reads) == 1 {
			read = reads[0]
		} else if want != "second" {
			t.Fatalf("then it asked %v", sent)
		}
	}
	if g := env.actor.(*Gateway); len(g.turns["a"]) != 0 || len(g.open) != 1 {
		t.Errorf("left are %v, %d open", g.turns, len(g.open))
	}
}

// TestAWriteThatIsGivenUpLeavesTheLine, whether it waited or it was its turn.
func TestAWriteThatIsGivenUpLeavesTheLine(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, written("a", "first")), ask(2, written("a", "second")))
	env.taken()
	env.pass(requestDeadline)
	for _, told := range ofType[Answered](env.taken()) {
		if codeOf(told.Response) != orrery.Unavailable {
			t.Errorf("told %v", told)
		}
	}
	if g := env.actor.(*Gateway); len(g.turns) != 0 || len(g.open) != 0 {
		t.Fatalf("left are %v, %d open", g.turns, len(g.open))
	}
	env.give(ask(3, written("a", "third")))
	asked[ReadJob](t, env)
}

// TestCopiesOfAWriteShareItsTurn: of one gateway, one is kept; of others, each is
// answered.
func TestCopiesOfAWriteShareItsTurn(t *testing.T) {
	env, _ := newLeadingGateway()
	sending := func(id uint64, member string) *orrerypb.ClientRequest {
		return &orrerypb.ClientRequest{Id: id, Member: member, Incarnation: 6, Request: written("a", "same")}
	}
	env.give(ask(1, written("a", "before")))
	read := asked[ReadJob](t, env)
	env.give(sending(1, "m2"), sending(2, "m2"), sending(1, "m3"))
	if g := env.actor.(*Gateway); len(g.turns["a"]) != 3 || len(g.open) != 3 {
		t.Fatalf("%d in line, %d open; want two of the copies", len(g.turns["a"]), len(g.open))
	}
	takeTurn(t, env, read)
	read = asked[ReadJob](t, env)
	if got := takeTurn(t, env, read); got != "same" {
		t.Fatalf("then it was the turn of %s", got)
	}
	sent := env.taken()
	for _, member := range []string{"m2", "m3"} {
		if got := sentTo(sent, member, GatewayName); len(got) != 1 || got[0].(*orrerypb.ClientReply).GetResponse().GetAnswer().GetVersion() != 1 {
			t.Errorf("%s was told %v", member, got)
		}
	}
	if len(sent) != 2 {
		t.Errorf("sent %v", sent)
	}
}

// TestALineEndsWithTheLeadership: who waits goes to the next leader.
func TestALineEndsWithTheLeadership(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, written("a", "first")), ask(2, written("a", "second")))
	env.taken()
	env.give(LeadershipLost{Term: 1}, LeaderHeard{Term: 2, Leader: "m2"})
	if sent := sentTo(env.taken(), "m2", GatewayName); len(sent) != 2 {
		t.Fatalf("passed on %v", sent)
	}
}
