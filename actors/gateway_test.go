package actors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// newTestGateway is the Gateway of a server that follows nobody yet.
func newTestGateway() (*fakeEnv, *sinkLog) {
	env, log := newFakeEnv("m1"), &sinkLog{}
	env.actor = NewGateway(env, true, log)
	env.give(Start{})
	return env, log
}

func newLeadingGateway() (*fakeEnv, *sinkLog) {
	env, log := newTestGateway()
	env.give(gained(env, 1, time.Time{}))
	return env, log
}

func newTestAgentGateway() *fakeEnv {
	env := newFakeEnv("a1")
	env.actor = NewGateway(env, false, nil)
	env.give(Start{})
	return env
}

func ask(ref uint64, request *orrerypb.Request) Ask {
	return Ask{ReplyTo: "client", Ref: ref, Request: request}
}

func getJob(name string, consistent bool) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: name, Consistent: consistent}}}
}

// answered is the one answer that the client got.
func answered(t *testing.T, env *fakeEnv) *orrerypb.Response {
	t.Helper()
	got := ofType[Answered](env.taken())
	if len(got) != 1 {
		t.Fatalf("%d answers, want one", len(got))
	}
	return got[0].Response
}

func codeOf(r *orrerypb.Response) orrery.Code { return orrery.Code(r.GetAnswer().GetCode()) }

// sentRequest is the one request that was passed on to a member.
func sentRequest(t *testing.T, env *fakeEnv, member string) *orrerypb.ClientRequest {
	t.Helper()
	got := sentTo(env.taken(), member, GatewayName)
	if len(got) != 1 {
		t.Fatalf("%d requests were sent to %s, want one", len(got), member)
	}
	return got[0].(*orrerypb.ClientRequest)
}

func reply(to *orrerypb.ClientRequest, code orrery.Code) *orrerypb.ClientReply {
	return &orrerypb.ClientReply{Id: to.GetId(), Incarnation: to.GetIncarnation(), Response: &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(code)}}}
}

// TestOnlyTheLeaderStamps: a follower passes a request on as it came; the leader's clock
// stamps the command, and says when the request was first sent.
func TestOnlyTheLeaderStamps(t *testing.T) {
	env, _ := newTestGateway()
	env.give(LeaderHeard{Term: 1, Leader: "m2"}, ask(1, runJob("a")))
	sent := sentRequest(t, env, "m2")
	if sent.GetRequest().GetIssuedNs() != 0 || sent.GetActor() != "" || sent.GetMember() != "m1" || sent.GetRequest().GetRequestId() == "" {
		t.Fatalf("sent %v", sent)
	}
	leader, _ := newLeadingGateway()
	leader.self = "m2"
	sent.AgeNs = int64(3 * time.Second)
	leader.wall = leader.wall.Add(-time.Hour) // jumps
	leader.give(sent)
	p := asked[Propose](t, leader)
	if p.Command.GetAtNs() != fakeEpoch.UnixNano() || p.Command.GetIssuedNs() != fakeEpoch.Add(-3*time.Second).UnixNano() ||
		p.Command.GetRequestId() != sent.GetRequest().GetRequestId() || p.Term != 1 {
		t.Fatalf("proposed %v", p.Command)
	}
	t.Run("a client that says when keeps its word", func(t *testing.T) {
		leader.give(ask(1, &orrerypb.Request{RequestId: "mine", IssuedNs: 77, Body: runJob("a").Body}))
		if p := asked[Propose](t, leader); p.Command.GetIssuedNs() != 77 || p.Command.GetRequestId() != "mine" {
			t.Fatalf("proposed %v", p.Command)
		}
	})
}

// TestUnavailableIsSaidOnlyOfWhatDidNotHappen: what was never sent or proposed is
// unavailable at the deadline, what was is unknown, and a read did nothing anyhow.
func TestUnavailableIsSaidOnlyOfWhatDidNotHappen(t *testing.T) {
	sentTo2 := func(env *fakeEnv) { env.give(LeaderHeard{Term: 1, Leader: "m2"}) }
	leading := func(env *fakeEnv) { env.give(gained(env, 1, time.Time{})) }
	fate := func(fate Fate) func(*fakeEnv) {
		return func(env *fakeEnv) {
			leading(env)
			for range 30 {
				for _, p := range ofType[Propose](env.taken()) {
					env.give(Proposed{Ref: p.Ref, Fate: fate})
				}
				env.pass(refusedAfter)
			}
		}
	}
	for name, test := range map[string]struct {
		request *orrerypb.Request
		then    func(*fakeEnv)
		want    orrery.Code
	}{
		"no leader was known":              {runJob("a"), func(*fakeEnv) {}, orrery.Unavailable},
		"the own member was about to lead": {runJob("a"), func(env *fakeEnv) { env.give(LeaderHeard{Term: 1, Leader: "m1"}) }, orrery.Unavailable},
		"it was sent":                      {runJob("a"), sentTo2, orrery.Unknown},
		"a read was sent":                  {getJob("a", true), sentTo2, orrery.Unavailable},
		"it is proposed":                   {runJob("a"), leading, orrery.Unknown},
		"its proposals were refused":       {runJob("a"), fate(FateRefused), orrery.Unavailable},
		"one of them is unknown":           {runJob("a"), fate(FateUnknown), orrery.Unknown},
		"the job was not even read":        {putJob(shell("a", "@manually")), leading, orrery.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := newTestGateway()
			var answers []Answered
			env.onSend = func(s sentMessage) {
				if a, ok := s.Msg.(Answered); ok {
					answers = append(answers, a)
				} else {
					env.sent = append(env.sent, s)
				}
			}
			env.give(ask(1, test.request))
			test.then(env)
			env.pass(requestDeadline)
			if len(answers) != 1 || codeOf(answers[0].Response) != test.want {
				t.Fatalf("answered %v, want %s", answers, test.want)
			}
		})
	}
}

// TestARetryHasOneEffect: everything that may have been lost is sent again under the
// same request id, and never under the same sending.
func TestARetryHasOneEffect(t *testing.T) {
	env, _ := newTestGateway()
	env.give(LeaderHeard{Term: 1, Leader: "m2"}, ask(1, runJob("a")))
	first := sentRequest(t, env, "m2")
	env.pass(againAfter)
	second := sentRequest(t, env, "m2")
	env.give(reply(second, orrery.Unavailable)) // turned away
	env.pass(refusedAfter)
	third := sentRequest(t, env, "m2")
	env.give(LeaderHeard{Term: 2, Leader: "m3"})
	fourth := sentRequest(t, env, "m3")
	env.give(reply(fourth, orrery.Unknown)) // it lost its lead meanwhile
	env.pass(refusedAfter)
	fifth := sentRequest(t, env, "m3")
	ids := []uint64{first.GetId(), second.GetId(), third.GetId(), fourth.GetId(), fifth.GetId()}
	if slices.Sort(ids); len(slices.Compact(ids)) != 5 {
		t.Fatalf("sendings %v", ids)
	}
	for _, s := range []*orrerypb.ClientRequest{second, third, fourth, fifth} {
		if s.GetRequest().GetRequestId() != first.GetRequest().GetRequestId() {
			t.Fatalf("sent again as %v", s)
		}
	}
	if want := int64(againAfter + 2*refusedAfter); fifth.GetAgeNs() != want {
		t.Errorf("age %d, want %d", fifth.GetAgeNs(), want)
	}
	env.give(reply(first, "")) // the first was done after all
	if code := codeOf(answered(t, env)); code != "" || len(env.armed) != 0 {
		t.Fatalf("answered %s, %d timers are left", code, len(env.armed))
	}
	env.give(reply(second, orrery.NotFound))
	env.pass(2 * requestDeadline)
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("after the answer: %v", sent)
	}
}

// TestALeaderThatLosesItsLeadAsksTheNext: the request id tells what became of it.
func TestALeaderThatLosesItsLeadAsksTheNext(t *testing.T) {
	for name, fate := range map[string]Fate{"refused": FateRefused, "unknown": FateUnknown} {
		t.Run(name, func(t *testing.T) {
			env, _ := newLeadingGateway()
			env.give(ask(1, runJob("a")))
			p := asked[Propose](t, env)
			env.give(LeadershipLost{Term: 1}, Proposed{Ref: p.Ref, Fate: fate}, LeaderHeard{Term: 2, Leader: "m2"})
			sent := sentRequest(t, env, "m2")
			if sent.GetRequest().GetRequestId() != p.Command.GetRequestId() {
				t.Fatalf("sent %v", sent)
			}
			env.give(reply(sent, ""))
			answered(t, env)
		})
	}
	t.Run("at once when it is known", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.give(ask(1, runJob("a")))
		p := asked[Propose](t, env)
		env.give(LeadershipLost{Term: 1}, LeaderHeard{Term: 2, Leader: "m2"})
		if sent := env.taken(); len(sent) != 0 {
			t.Fatalf("before it is known: %v", sent)
		}
		env.give(Proposed{Ref: p.Ref, Fate: FateRefused})
		sentRequest(t, env, "m2")
	})
	t.Run("or proposes again, while it leads", func(t *testing.T) {
		for _, fate := range []Fate{FateRefused, FateUnknown} {
			env, _ := newLeadingGateway()
			env.give(ask(1, runJob("a")))
			first := asked[Propose](t, env)
			env.give(Proposed{Ref: first.Ref, Fate: fate})
			env.pass(refusedAfter)
			second := asked[Propose](t, env)
			if second.Command.GetRequestId() != first.Command.GetRequestId() {
				t.Fatalf("proposed again as %v", second.Command)
			}
			env.give(Proposed{Ref: second.Ref, Fate: fate})
			env.sleep(requestDeadline)
			for key := range env.actor.(*Gateway).open {
				env.give(gatewayOverdue{key})
			}
			text := answered(t, env).GetAnswer().GetText()
			if fate == FateRefused && text != "the leader did not take it" || fate == FateUnknown && !strings.Contains(text, "lost its lead") {
				t.Fatalf("fate %d: answered %q", fate, text)
			}
		}
	})
	t.Run("what another gateway passed on is told to it", func(t *testing.T) {
		env, _ := newLeadingGateway()
		request := &orrerypb.ClientRequest{Id: 4, Member: "m3", Incarnation: 6, Request: runJob("a")}
		env.give(request)
		p := asked[Propose](t, env)
		env.give(LeadershipLost{Term: 1}, Proposed{Ref: p.Ref, Fate: FateUnknown}, LeaderHeard{Term: 2, Leader: "m2"})
		got := sentTo(env.taken(), "m3", GatewayName)
		if len(got) != 1 {
			t.Fatalf("told %v", got)
		}
		told := got[0].(*orrerypb.ClientReply)
		if told.GetId() != 4 || told.GetIncarnation() != 6 || codeOf(told.GetResponse()) != orrery.Unknown {
			t.Fatalf("told %v", told)
		}
	})
}

// TestTimersOfTheGatewayThatAreOver: stopped, late or doubled ones send nothing again.
func TestTimersOfTheGatewayThatAreOver(t *testing.T) {
	late := func(env *fakeEnv) {
		for _, timer := range slices.Clone(env.spent) {
			if _, ok := timer.msg.(gatewayAgain); ok {
				env.fire(timer)
			}
		}
		if sent := env.taken(); len(sent) != 0 {
			t.Helper()
			t.Fatalf("sent %v", sent)
		}
	}
	env, _ := newTestGateway()
	env.give(ask(1, runJob("a"))) // parked
	env.give(LeaderHeard{Term: 1, Leader: "m2"})
	env.taken()
	late(env)
	env.give(gained(env, 2, time.Time{}), LeaderHeard{Term: 2, Leader: "m1"}) // proposed
	p := asked[Propose](t, env)
	late(env)
	env.pass(2 * againAfter)
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("while it is proposed: %v", sent)
	}
	env.give(Proposed{Ref: p.Ref, Fate: FateApplied, Answer: &orrerypb.Answer{}})
	answered(t, env)
	late(env)
}

// TestWhatIsNotDoneSaysWhy in words that a client can act on.
func TestWhatIsNotDoneSaysWhy(t *testing.T) {
	env, _ := newTestGateway()
	text := func() string {
		t.Helper()
		return answered(t, env).GetAnswer().GetText()
	}
	env.give(ask(1, runJob("a")))
	env.pass(requestDeadline)
	if got := text(); got != "no leader answered in time" {
		t.Errorf("unavailable: %q", got)
	}
	env.give(&orrerypb.ClientRequest{Id: 1, Member: "m2", Request: runJob("a")})
	if got := env.taken()[0].Msg.(*orrerypb.ClientReply).GetResponse().GetAnswer().GetText(); got != "m1 does not lead" {
		t.Errorf("turned away: %q", got)
	}
	env.give(LeaderHeard{Term: 1, Leader: "m2"}, ask(2, runJob("a")))
	turnedAway := reply(sentRequest(t, env, "m2"), orrery.Unavailable)
	turnedAway.Response.Answer.Text = "m2 does not lead"
	env.give(turnedAway)
	env.sleep(requestDeadline)
	for key := range env.actor.(*Gateway).open {
		env.give(gatewayOverdue{key})
	}
	if got := text(); got != "it may or may not have happened: m2 does not lead" {
		t.Errorf("unknown: %q", got)
	}
}

func TestWhatAnotherGatewayPassedOnIsNotPassedOnFurther(t *testing.T) {
	env, _ := newTestGateway()
	env.give(LeaderHeard{Term: 1, Leader: "m2"}, &orrerypb.ClientRequest{Id: 4, Member: "m3", Incarnation: 6, Request: runJob("a")})
	sent := env.taken()
	if got := sentTo(sent, "m3", GatewayName); len(sent) != 1 || len(got) != 1 || codeOf(got[0].(*orrerypb.ClientReply).GetResponse()) != orrery.Unavailable {
		t.Fatalf("sent %v", sent)
	}
	t.Run("a client's is, and answered where it came from", func(t *testing.T) {
		env.give(&orrerypb.ClientRequest{Id: 4, Member: "c1", Actor: "client", Request: runJob("a")})
		env.give(reply(sentRequest(t, env, "m2"), orrery.NotFound))
		got := sentTo(env.taken(), "c1", "client")
		if len(got) != 1 || got[0].(*orrerypb.ClientReply).GetId() != 4 || codeOf(got[0].(*orrerypb.ClientReply).GetResponse()) != orrery.NotFound {
			t.Fatalf("answered %v", got)
		}
	})
}

// TestADoubledSendingIsAnsweredOnce: open, or answered already, or turned away.
func TestADoubledSendingIsAnsweredOnce(t *testing.T) {
	request := &orrerypb.ClientRequest{Id: 4, Member: "m3", Incarnation: 6, Request: runJob("a")}
	env, _ := newTestGateway()
	env.give(request, proto.Clone(request))
	if sent := env.taken(); len(sent) != 1 {
		t.Fatalf("turned away: %v", sent)
	}
	env.give(gained(env, 1, time.Time{}), proto.Clone(request))
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("a late double was taken for new: %v", sent)
	}
	for _, other := range []*orrerypb.ClientRequest{
		{Id: 5, Member: "m3", Incarnation: 6, Request: runJob("a")},
		{Id: 4, Member: "m2", Incarnation: 6, Request: runJob("a")},
		{Id: 4, Member: "m3", Incarnation: 7, Request: runJob("a")},
		{Id: 4, Member: "m3", Incarnation: 6, Actor: "client", Request: runJob("a")},
	} {
		env.give(other)
		asked[Propose](t, env)
	}
	t.Run("as long as there is room to remember it", func(t *testing.T) {
		s := newSeenSendings(2)
		for _, step := range []struct {
			id  uint64
			new bool
		}{{1, true}, {2, true}, {1, false}, {3, true}, {2, false}, {1, true}, {3, false}, {2, true}, {3, true}} {
			if got := s.note(origin{id: step.id}); got != step.new {
				t.Fatalf("sending %d: new is %v", step.id, got)
			}
		}
	})
}

func TestGatewayRefusesWhatCanNeverBe(t *testing.T) {
	long := putJob(shell("a", "@manually"))
	long.GetPutJob().Job.ExecutorConfig["command"] = strings.Repeat("x", maxRequestBytes)
	for name, request := range map[string]*orrerypb.Request{
		"nothing":               {},
		"no UTF-8":              runJob("a\xff"),
		"too long":              long,
		"a job that is invalid": putJob(shell("a", "every now and then")),
		"settings that are":     {Body: &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: &orrerypb.ClusterConfig{LostAfterNs: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := newLeadingGateway()
			env.give(ask(1, request))
			sent := env.taken()
			for _, read := range ofType[ReadJob](sent) {
				env.give(JobRead{Ref: read.Ref})
				sent = env.taken()
			}
			if len(sent) != 1 || codeOf(sent[0].Msg.(Answered).Response) != orrery.Invalid || sent[0].Msg.(Answered).Response.GetAnswer().GetText() == "" {
				t.Fatalf("sent %v", sent)
			}
		})
	}
}

func TestALeaderDoesNotBeginAgainWhenItHearsOfItself(t *testing.T) {
	env, _ := newLeadingGateway()
	env.give(ask(1, putJob(shell("a", "@manually"))), LeaderHeard{Term: 1, Leader: "m1"})
	asked[ReadJob](t, env)
}

func TestARequestThatNamesNobodyToAnswerIsDropped(t *testing.T) {
	for name, request := range map[string]*orrerypb.ClientRequest{
		"no member":      {Id: 1, Request: runJob("a")},
		"the own member": {Id: 1, Member: "m1", Request: runJob("a")},
		"another actor":  {Id: 1, Member: "m2", Actor: StoreName, Request: runJob("a")},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := newLeadingGateway()
			env.give(request)
			if sent := env.taken(); len(sent) != 0 || len(env.armed) != 0 {
				t.Fatalf("sent %v", sent)
			}
		})
	}
}

func TestGatewayBoundsWhatIsOpen(t *testing.T) {
	env, _ := newTestGateway()
	for ref := range uint64(maxOpen) {
		env.give(ask(ref, runJob("a")))
	}
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("%d were answered before the bound", len(sent))
	}
	env.give(ask(1<<20, runJob("a")))
	if r := answered(t, env); codeOf(r) != orrery.Unavailable || !strings.Contains(r.GetAnswer().GetText(), fmt.Sprint(maxOpen)) {
		t.Fatalf("answered %v", r)
	}
	env.pass(requestDeadline)
	g := env.actor.(*Gateway)
	if len(g.open) != 0 || len(g.refs) != 0 || len(env.armed) != 0 {
		t.Fatalf("%d requests, %d questions, %d timers are left", len(g.open), len(g.refs), len(env.armed))
	}
}

func TestReadsAreAnsweredByTheOwnState(t *testing.T) {
	env, _ := newTestGateway()
	env.give(LeaderHeard{Term: 1, Leader: "m2"}, ask(1, getJob("a", false)))
	read := asked[Read](t, env)
	env.give(ReadDone{Ref: read.Ref, Response: &orrerypb.Response{Index: 9}})
	if r := answered(t, env); r.GetIndex() != 9 || r.GetLeader() != "m2" {
		t.Fatalf("answered %v", r)
	}
	env.give(ReadDone{Ref: read.Ref, Response: &orrerypb.Response{}})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("answered again: %v", sent)
	}
}

// TestAnAgentAsksAServer: one after the other, the leader where it knows no server.
func TestAnAgentAsksAServer(t *testing.T) {
	env := newTestAgentGateway()
	env.give(ask(1, getJob("a", false)))
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("knows nobody, and sent %v", sent)
	}
	env.give(LeaderHeard{Term: 1, Leader: "s9"})
	env.pass(againAfter)
	sentRequest(t, env, "s9")
	for _, m := range []Member{
		{Name: "s2", Server: true}, {Name: "s1", Server: true}, {Name: "s1", Server: true}, {Name: "a2"},
		{Name: "s3", Server: true}, {Name: "s3", Server: true, Status: MemberFailed}, {Name: "s4", Server: true, Status: MemberSuspect},
	} {
		env.give(MemberChanged{m})
	}
	var got []string
	var last *orrerypb.ClientRequest
	for range 3 {
		env.pass(againAfter)
		for _, s := range env.taken() {
			if r, ok := s.Msg.(*orrerypb.ClientRequest); ok {
				got, last = append(got, s.To.Member), r
			}
		}
	}
	if len(got) != 3 || got[0] == got[1] || got[0] != got[2] || got[0] > "s2" || got[1] > "s2" {
		t.Fatalf("asked %v", got)
	}
	env.give(reply(last, orrery.NotFound))
	if code := codeOf(answered(t, env)); code != orrery.NotFound {
		t.Fatalf("answered %s", code)
	}
}

// TestAnAnswerForAnEarlierIncarnationIsNobodys: its ids began again.
func TestAnAnswerForAnEarlierIncarnationIsNobodys(t *testing.T) {
	env := newTestAgentGateway()
	env.incarnation = 2
	env.give(LeaderHeard{Term: 1, Leader: "s1"}, ask(1, runJob("a")))
	sent := sentRequest(t, env, "s1")
	stale := reply(sent, orrery.NotFound)
	stale.Incarnation = 1
	env.give(stale)
	if got := env.taken(); len(got) != 0 {
		t.Fatalf("it was believed: %v", got)
	}
	env.give(reply(sent, ""))
	answered(t, env)
}

// TestConsistentReadsVerify: the state is read only after a quorum check that began
// after the read had come; reads that come together share one.
func TestConsistentReadsVerify(t *testing.T) {
	env, log := newLeadingGateway()
	env.give(ask(1, getJob("a", true)))
	if reads := ofType[Read](env.taken()); len(reads) != 0 || len(log.verified) != 1 {
		t.Fatalf("read %v, verified %v", reads, log.verified)
	}
	if store.VerifierOf(log.verified[0]) != store.VerifierGateway {
		t.Fatalf("check %x is of actor %d", log.verified[0], store.VerifierOf(log.verified[0]))
	}
	env.give(ask(2, getJob("a", true)), ask(3, getJob("a", true)))
	if len(log.verified) != 1 {
		t.Fatal("two checks at once")
	}
	env.give(store.Verified{Seq: log.verified[0], OK: true})
	if reads := ofType[Read](env.taken()); len(reads) != 1 || len(log.verified) != 2 {
		t.Fatalf("the first check answered %d reads, %d checks", len(reads), len(log.verified))
	}
	env.give(store.Verified{Seq: log.verified[0], OK: true}) // doubled
	if reads := ofType[Read](env.taken()); len(reads) != 0 {
		t.Fatal("an older check answered a later read")
	}
	env.give(store.Verified{Seq: log.verified[1], OK: true})
	reads := ofType[Read](env.taken())
	if len(reads) != 2 || len(log.verified) != 2 {
		t.Fatalf("the second check answered %d reads, %d checks", len(reads), len(log.verified))
	}
	env.give(ReadDone{Ref: reads[0].Ref, Response: &orrerypb.Response{}})
	answered(t, env)
}

func TestAConsistentReadThatCannotBeVerified(t *testing.T) {
	t.Run("goes to the next leader", func(t *testing.T) {
		env, log := newLeadingGateway()
		env.give(ask(1, getJob("a", true)))
		env.give(store.Verified{Seq: log.verified[0]}, LeadershipLost{Term: 1}, LeaderHeard{Term: 2, Leader: "m2"})
		env.give(reply(sentRequest(t, env, "m2"), ""))
		answered(t, env)
	})
	t.Run("is checked again when the check hangs", func(t *testing.T) {
		env, log := newLeadingGateway()
		env.give(ask(1, getJob("a", true)))
		env.pass(againAfter)
		if len(log.verified) != 2 {
			t.Fatalf("%d checks", len(log.verified))
		}
		env.give(store.Verified{Seq: log.verified[0], OK: true})
		asked[Read](t, env)
	})
	t.Run("is checked again when the check failed", func(t *testing.T) {
		env, log := newLeadingGateway()
		env.give(ask(1, getJob("a", true)))
		env.give(store.Verified{Seq: log.verified[0]})
		env.pass(refusedAfter)
		if len(log.verified) != 2 {
			t.Fatalf("%d checks", len(log.verified))
		}
		env.pass(requestDeadline)
		if text := answered(t, env).GetAnswer().GetText(); text != "m1 could not make sure that it leads" {
			t.Fatalf("answered %q", text)
		}
	})
	t.Run("of another gateway is turned away when the lead is lost", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.give(&orrerypb.ClientRequest{Id: 1, Member: "m2", Request: getJob("a", true)}, LeadershipLost{Term: 1})
		if got := sentTo(env.taken(), "m2", GatewayName); len(got) != 1 {
			t.Fatalf("answered %v", got)
		}
	})
	t.Run("is forgotten at the deadline", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.give(ask(1, getJob("a", true)))
		env.pass(requestDeadline)
		if r := answered(t, env); codeOf(r) != orrery.Unavailable || len(env.actor.(*Gateway).checks.waiting) != 0 {
			t.Fatalf("answered %v", r)
		}
	})
	t.Run("a check of the leadership before proves nothing", func(t *testing.T) {
		env, log := newLeadingGateway()
		env.give(ask(1, getJob("a", true)), LeadershipLost{Term: 1}, gained(env, 2, time.Time{}))
		env.taken()
		if len(log.verified) != 2 {
			t.Fatalf("%d checks", len(log.verified))
		}
		env.give(store.Verified{Seq: log.verified[0], OK: true})
		if reads := ofType[Read](env.taken()); len(reads) != 0 || len(log.verified) != 2 {
			t.Fatalf("read %v, %d checks", reads, len(log.verified))
		}
	})
	t.Run("without a check it is a broken rule", func(t *testing.T) {
		env, _ := newLeadingGateway()
		env.knobs[KnobReadWithoutQuorum] = true
		env.give(ask(1, getJob("a", true)))
		asked[Read](t, env)
	})
}

func TestVerifySeqNamesTheActor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 1<<56-2).Draw(t, "n")
		for _, actor := range []uint8{store.VerifierDispatcher, store.VerifierGateway} {
			seq := store.VerifySeq(actor, n)
			if store.VerifierOf(seq) != actor || store.VerifySeq(actor, n+1) != seq+1 {
				t.Fatalf("check %d of %d is %x", n, actor, seq)
			}
		}
	})
}

func TestAnAnswerTooLongForAMessageSaysSo(t *testing.T) {
	env, _ := newTestGateway()
	env.give(&orrerypb.ClientRequest{Id: 1, Member: "a1", Request: getJob("a", false)})
	read := asked[Read](t, env)
	long := &orrerypb.Response{Executions: []*orrerypb.ExecutionRecord{{Reason: strings.Repeat("x", maxReplyBytes)}}}
	env.give(ReadDone{Ref: read.Ref, Response: long})
	got := sentTo(env.taken(), "a1", GatewayName)[0].(*orrerypb.ClientReply)
	if codeOf(got.GetResponse()) != orrery.Invalid || proto.Size(got) > 1<<10 {
		t.Fatalf("%d bytes, %v", proto.Size(got), got.GetResponse().GetAnswer())
	}
}
