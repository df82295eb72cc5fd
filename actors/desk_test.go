package actors

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// desk is a Dispatcher before a real state. The test plays the members, and says what
// becomes of proposals and quorum checks.
type desk struct {
	*fakeEnv
	t       *testing.T
	d       *Dispatcher
	state   *store.State
	term    uint64
	roster  []Member
	led     string              // before this leader
	fate    Fate                // of proposals; FateApplied applies them at once
	held    bool                // proposals wait for commit
	waiting []Propose           // held
	checks  []uint64            // begun and not answered
	slow    bool                // checks wait for verify
	unseen  []string            // servers that no gossip has told of
	moved   int                 // TransferLeadership was called
	said    []sentMessage       // to members, since the last asked
	toSched []any               // to the Scheduler, likewise
	decided []*orrerypb.Command // applied
	seqs    map[string]uint64   // of heartbeats
	session map[string]uint64
}

func (k *desk) Propose(uint64, uint64, []byte)             { panic("the dispatcher proposes through the Proposer") }
func (k *desk) Applied(uint64)                             { panic("not the dispatcher's matter") }
func (k *desk) SnapshotChunk(uint64, uint64, []byte, bool) { panic("not the dispatcher's matter") }
func (k *desk) Restored(uint64, error)                     { panic("not the dispatcher's matter") }
func (k *desk) TransferLeadership()                        { k.moved++ }
func (k *desk) Servers() []string {
	var names []string
	for _, m := range k.roster {
		if m.Server {
			names = append(names, m.Name)
		}
	}
	return append(names, k.unseen...)
}
func (k *desk) Verify(seq, term uint64) {
	if term != k.term {
		k.t.Errorf("a quorum check for term %d was begun in %d", term, k.term)
	}
	k.checks = append(k.checks, seq)
}

func newDesk(t *testing.T, members ...string) *desk {
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{fakeEnv: newFakeEnv("s1"), t: t, state: state, term: 1, seqs: make(map[string]uint64), session: make(map[string]uint64)}
	for _, name := range members {
		k.roster = append(k.roster, Member{Name: name, Incarnation: 1})
	}
	k.d = NewDispatcher(k.fakeEnv, k)
	k.actor = k.d
	k.onSend = k.route
	k.give(Start{})
	return k
}

// route carries what the Dispatcher sends. Answers of local actors come after the
// Receive in which they were asked for.
func (k *desk) route(s sentMessage) {
	switch {
	case s.To.Member != "":
		k.said = append(k.said, s)
	case s.To.Actor == SchedulerName:
		k.toSched = append(k.toSched, s.Msg)
	default:
		k.sent = append(k.sent, s)
	}
}

// settle answers the local questions until there are none.
func (k *desk) settle() {
	for len(k.sent) > 0 || !k.slow && len(k.checks) > 0 {
		for _, s := range k.taken() {
			k.answer(s)
		}
		if !k.slow {
			k.verify(true)
		}
	}
}

func (k *desk) answer(s sentMessage) {
	switch m := s.Msg.(type) {
	case RosterWanted:
		k.give(RosterRead{Members: slices.Clone(k.roster), Led: k.led})
	case Propose:
		if k.held {
			k.waiting = append(k.waiting, m)
		} else {
			k.commit(m, k.fate)
		}
	default:
		_, answer := (&Store{state: k.state}).read(s.Msg)
		k.give(answer)
	}
}

// commit gives a proposal its fate.
func (k *desk) commit(m Propose, fate Fate) {
	p := Proposed{Ref: m.Ref, Fate: fate}
	if fate == FateApplied {
		p.Answer = k.apply(m.Command)
	}
	k.give(p)
}

// verify answers the quorum checks that were begun.
func (k *desk) verify(ok bool) {
	for _, seq := range k.checks {
		k.checks = k.checks[1:]
		k.give(store.Verified{Seq: seq, OK: ok})
	}
}

// apply has the state decide a command, and tells what happened.
func (k *desk) apply(c *orrerypb.Command) *orrerypb.Answer {
	k.t.Helper()
	k.decided = append(k.decided, c)
	if c.AtNs == 0 {
		c.AtNs = wire.Nanos(k.wall)
	}
	answers, events := k.state.Apply(k.state.Index()+1, k.term, &orrerypb.Entry{Term: k.term, Commands: []*orrerypb.Command{c}})
	concerned := slices.DeleteFunc(events, func(e *orrerypb.Event) bool {
		return !slices.Contains(interests[e.GetKind()], DispatcherName)
	})
	if len(concerned) > 0 {
		k.give(Happened{Index: k.state.Index(), Events: concerned})
	}
	return answers[0]
}

// put writes a job.
func (k *desk) put(job orrery.Job) {
	k.t.Helper()
	job.Name, job.Executor = "job", cmp.Or(job.Executor, orrery.ExecutorShell)
	base := &orrerypb.JobBase{}
	if record, state := k.state.Job("job"); record != nil {
		base.Uid, base.Version = record.GetUid(), state.GetVersion()
	}
	a := k.apply(&orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: wire.FromJob(job), Base: base}}})
	if a.GetCode() != "" {
		k.t.Fatal(a)
	}
	k.settle()
}

// trigger asks for an execution of the job.
func (k *desk) trigger() orrery.ExecutionID {
	k.t.Helper()
	a := k.apply(&orrerypb.Command{Body: &orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{
		Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: "job"}},
	}}})
	if a.GetCode() != "" {
		k.t.Fatal(a)
	}
	k.settle()
	return orrery.ExecutionID(a.GetExecution())
}

// lead gives the leadership, and the time of one heartbeat when wait is set.
func (k *desk) lead() {
	k.give(LeadershipGained{Term: k.term, Wall: k.wall, Boot: k.boot, Config: k.state.Config(), Silence: k.state.Silence(k.wall)})
	k.settle()
}

// depose takes the leadership and gives it again, under the next term.
func (k *desk) depose() {
	k.give(LeadershipLost{k.term})
	k.term++
	k.session = make(map[string]uint64)
	k.said, k.waiting, k.checks = nil, nil, nil
	k.lead()
}

func (k *desk) incarnationOf(name string) uint64 {
	return k.roster[slices.IndexFunc(k.roster, func(m Member) bool { return m.Name == name })].Incarnation
}

// heartbeat is the next one of a member, in the session that it was granted.
func (k *desk) heartbeat(name string) *orrerypb.Heartbeat {
	k.seqs[name]++
	h := &orrerypb.Heartbeat{
		Member: name, Incarnation: k.incarnationOf(name), Term: k.term, Session: k.session[name], Seq: k.seqs[name],
		SentNs: int64(k.boot) - 5, WallNs: wire.Nanos(k.wall), Slots: 2,
	}
	h.Inventory = h.GetSession() == 0
	return h
}

// open brings a member into a session that both sides know, holding what it says.
func (k *desk) open(name string, held ...*orrerypb.HeldAttempt) {
	k.t.Helper()
	k.session[name] = 0
	h := k.heartbeat(name)
	h.Held = held
	k.give(h)
	k.settle()
	k.beat(name)
}

// beat is one heartbeat, and takes up the session that was granted before.
func (k *desk) beat(name string) {
	for _, g := range heardBy[*orrerypb.HeartbeatGranted](k, name) {
		k.session[name] = g.GetSession()
	}
	k.give(k.heartbeat(name))
	k.settle()
}

// passing lets time pass, with a heartbeat of the given members before every second of it.
func (k *desk) passing(d time.Duration, alive ...string) {
	for ; d > 0; d -= time.Second {
		for _, name := range alive {
			k.beat(name)
		}
		k.pass(min(d, time.Second))
		k.settle()
	}
}

// heardBy picks the messages of a type that were sent to a member.
func heardBy[M any](k *desk, name string) []M {
	var to []sentMessage
	for _, s := range k.said {
		if s.To.Member == name {
			to = append(to, s)
		}
	}
	return ofType[M](to)
}

// forget drops what was said so far.
func (k *desk) forget() { k.said, k.toSched, k.decided = nil, nil, nil }

// runs picks the distinct attempts that a member was told to run.
func (k *desk) runs(name string) []*orrerypb.RunAttempt {
	var runs []*orrerypb.RunAttempt
	for _, r := range heardBy[*orrerypb.RunAttempt](k, name) {
		if !slices.ContainsFunc(runs, func(o *orrerypb.RunAttempt) bool { return proto.Equal(o, r) }) {
			runs = append(runs, r)
		}
	}
	return runs
}

// theRun is the one attempt that a member was told to run.
func (k *desk) theRun(name string) *orrerypb.RunAttempt {
	k.t.Helper()
	runs := k.runs(name)
	if len(runs) != 1 {
		k.t.Fatalf("%s was told to run %v, want one attempt", name, runs)
	}
	return runs[0]
}

func (k *desk) starts(name string, r *orrerypb.RunAttempt) {
	k.give(&orrerypb.AttemptStarted{Term: k.term, Attempt: r.GetAttempt(), Member: name, Incarnation: k.incarnationOf(name)})
	k.settle()
}

func (k *desk) finishes(name string, r *orrerypb.RunAttempt, result orrery.Result) {
	k.give(&orrerypb.AttemptDone{Member: name, Incarnation: k.incarnationOf(name), Attempt: r.GetAttempt(), Result: wire.FromResult(result)})
	k.settle()
}

func (k *desk) execution(id orrery.ExecutionID) *orrerypb.ExecutionRecord {
	k.t.Helper()
	read := k.state.Executions([]orrery.ExecutionID{id})
	if len(read) != 1 {
		k.t.Fatalf("no execution %d", id)
	}
	return read[0].Execution
}

func (k *desk) wantSlot(id orrery.ExecutionID, slot int, state orrery.State, n int, member string) {
	k.t.Helper()
	slots := k.execution(id).GetSlots()
	if slot >= len(slots) {
		k.t.Fatalf("execution %d has %d slots, want slot %d", id, len(slots), slot)
	}
	if s := slots[slot]; orrery.State(s.GetState()) != state || int(s.GetN()) != n || s.GetMember() != member {
		k.t.Errorf("slot %d is %v, want attempt %d on %s in state %d", slot, s, n, member, state)
	}
}

// wantLost is about the reason of a slot's newest lost attempt; "" is none.
func (k *desk) wantLost(id orrery.ExecutionID, reason orrery.Reason) {
	k.t.Helper()
	got := ""
	for _, a := range k.execution(id).GetSlots()[0].GetAttempts() {
		if orrery.Outcome(a.GetOutcome()) == orrery.OutcomeLost {
			got = a.GetReason()
		}
	}
	if got != string(reason) {
		k.t.Errorf("the attempt is lost for %q, want %q", got, reason)
	}
}

// working is a desk with members in session, all collected.
func working(t *testing.T, job orrery.Job, members ...string) *desk {
	k := newDesk(t, members...)
	k.put(job)
	k.lead()
	for _, name := range members {
		k.open(name)
	}
	return k
}
