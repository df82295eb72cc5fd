package promise

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// A model is the smallest cluster there can be: one state that applies at once, a
// leader that does what is to be done the moment that it can be, and members whose
// processes do as planned. What it does is history that every promise must pass; tests
// then make it do something else, or tell something else of it.
type model struct {
	*History
	t       testing.TB
	state   *store.State
	now     time.Duration
	term    uint64
	index   uint64
	logTerm uint64 // of the newest entry
	todo    []todo
	asked   int
	runs    map[uint64]int // fence to process, of those that run
	told    uint64         // notification that the outside had last

	plan     func(job string, a *orrerypb.AttemptRef) plan
	choose   func(x store.JobExecution, slot int) []string // members for first attempts, or for the next one of a slot
	deafFire bool                                          // the leader does not fire
	deafRows bool                                          // nor does it take chain decisions
}

type todo struct {
	at time.Duration
	do func()
}

// plan is what a process does.
type plan struct {
	takes  time.Duration
	exit   int
	output string
	lost   time.Duration // its member falls silent after that long; 0: never
	silent bool          // and is given up for that; else because it came back without the attempt
	kept   bool          // and lets it finish all the same
}

// travels is how long everything takes that has to go from one machine to another.
const travels = 10 * time.Millisecond

var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func newModel(t testing.TB) *model {
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	m := &model{
		History: &History{Start: epoch, Config: orrery.ClusterConfig{}.WithDefaults()},
		t:       t, state: state, term: 1, runs: map[uint64]int{},
		plan: func(job string, a *orrerypb.AttemptRef) plan {
			return plan{takes: time.Second, output: fmt.Sprint(job, " ", a.GetExecution(), ".", a.GetN())}
		},
	}
	for _, name := range []string{"m1", "m2", "m3", "m4", "m5"} {
		tags := map[string]string{"role": "web"}
		if name > "m3" {
			tags["role"] = "work"
		}
		m.Members = append(m.Members, Member{Name: name, Server: name <= "m3", Tags: tags})
	}
	m.choose = m.first
	m.Leaders = []Leadership{{Member: "m1", Term: 1, To: -1}}
	return m
}

// first chooses the members that match, in order.
func (m *model) first(x store.JobExecution, slot int) []string {
	if slots := x.Execution.GetSlots(); len(slots) > 0 {
		return []string{slots[slot].GetMember()}
	}
	p := wire.ToJob(x.Job.GetJob()).Placement(m.Config)
	var chosen []string
	for _, member := range m.Members {
		if p.Matches(member.Tags) && (p.Count() == 0 || len(chosen) < p.Count()) {
			chosen = append(chosen, member.Name)
		}
	}
	return chosen
}

// after has something done when time has passed.
func (m *model) after(d time.Duration, do func()) {
	i, _ := slices.BinarySearchFunc(m.todo, m.now+d+1, func(t todo, at time.Duration) int { return cmp.Compare(t.at, at) })
	m.todo = slices.Insert(m.todo, i, todo{m.now + d, do})
}

// until lives up to a moment.
func (m *model) until(end time.Duration) *model {
	for {
		m.lead()
		next := end
		if len(m.todo) > 0 {
			next = min(next, m.todo[0].at)
		}
		if _, due := m.state.Due(m.clock(), 0); !due.IsZero() && !m.deafFire && !m.state.Paused() {
			next = min(next, max(due.Sub(epoch), m.now+travels))
		}
		if _, timer := m.state.Timers(m.leaderTime(), 0); !timer.IsZero() {
			next = min(next, max(timer.Sub(epoch), m.now+travels))
		}
		m.now = next
		if m.now == end && (len(m.todo) == 0 || m.todo[0].at > end) {
			m.lead()
			m.End = end
			return m
		}
		for len(m.todo) > 0 && m.todo[0].at <= m.now {
			do := m.todo[0].do
			m.todo = m.todo[1:]
			do()
		}
	}
}

func (m *model) clock() time.Time { return epoch.Add(m.now) }

func (m *model) leaderTime() store.LeaderTime {
	return store.LeaderTime{Now: m.clock(), Gained: m.clock()}
}

// lead does what is to be done now.
func (m *model) lead() {
	due, _ := m.state.Due(m.clock(), 100)
	for _, d := range due {
		if !m.deafFire && !m.state.Paused() {
			m.fire(d.Record, m.decide(d.Record, d.Head))
		}
	}
	for _, x := range m.state.Ready(0, 100) {
		m.assign(x.Execution.GetId(), 0, 1, m.choose(x, 0)...)
	}
	timers, _ := m.state.Timers(m.leaderTime(), 100)
	for _, t := range timers {
		switch t.Kind {
		case store.TimerBackoff:
			x := m.state.Executions([]orrery.ExecutionID{t.Execution})[0]
			m.assign(uint64(t.Execution), t.Slot, t.N+1, m.choose(x, t.Slot)...)
		default:
			m.commit(&orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: uint64(t.Execution), Reason: string(orrery.ReasonDeadline)}})
		}
	}
	for range 2 { // a row that is taken and stays is not taken for ever
		for _, row := range m.state.Outbox(100) {
			if !m.deafRows {
				m.settle(row.GetKey())
			}
		}
	}
	for _, x := range m.state.Ready(0, 100) {
		m.assign(x.Execution.GetId(), 0, 1, m.choose(x, 0)...)
	}
}

func (m *model) settle(key *orrerypb.OutboxKey) {
	m.commit(&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Chain{Chain: key}}})
}

func (m *model) schedule(r *orrerypb.JobRecord) *orrery.Schedule {
	s, err := orrery.ParseSchedule(wire.ToJob(r.GetJob()).ScheduleSpec(m.state.Config(), wire.Time(r.GetCreatedNs())))
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *model) decide(r *orrerypb.JobRecord, head time.Time) orrery.Decision {
	return orrery.Decide(m.schedule(r), wire.ToJob(r.GetJob()).MisfirePolicy(m.state.Config()), head, m.clock())
}

func (m *model) fire(r *orrerypb.JobRecord, d orrery.Decision) {
	m.commit(&orrerypb.Command_Fire{Fire: &orrerypb.Fire{Items: []*orrerypb.FireItem{{
		Uid: r.GetUid(), Version: r.GetVersion(), Decision: decisionOf(d),
	}}}})
}

func decisionOf(d orrery.Decision) *orrerypb.Decision {
	if d.Due.IsZero() {
		return nil
	}
	w := &orrerypb.Decision{
		DueNs: wire.Nanos(d.Due), NextNs: wire.Nanos(d.Next), SkippedReason: string(d.Skipped.Reason),
		SkippedFromNs: wire.Nanos(d.Skipped.From), SkippedToNs: wire.Nanos(d.Skipped.To),
	}
	for _, f := range d.Fires {
		w.Fires = append(w.Fires, &orrerypb.FireTime{DueNs: wire.Nanos(f.Due), CatchUp: f.CatchUp})
	}
	return w
}

// assign gives slots to members: from the first one on for first attempts, else that
// one.
func (m *model) assign(execution uint64, slot, n int, members ...string) {
	item := &orrerypb.AssignItem{Execution: execution}
	for i, member := range members {
		item.Slots = append(item.Slots, &orrerypb.SlotAssignment{
			Slot: uint32(slot + i), N: uint32(n), Place: &orrerypb.Place{Member: member, Incarnation: 1},
		})
	}
	m.commit(&orrerypb.Command_Assign{Assign: &orrerypb.Assign{Items: []*orrerypb.AssignItem{item}}})
}

// command is a body of orrerypb.Command, filled in by type.
func command(body any) *orrerypb.Command {
	c := &orrerypb.Command{}
	switch b := body.(type) {
	case *orrerypb.Command_PutJob:
		c.Body = b
	case *orrerypb.Command_DeleteJob:
		c.Body = b
	case *orrerypb.Command_SetEnabled:
		c.Body = b
	case *orrerypb.Command_SetPaused:
		c.Body = b
	case *orrerypb.Command_Fire:
		c.Body = b
	case *orrerypb.Command_Trigger:
		c.Body = b
	case *orrerypb.Command_Assign:
		c.Body = b
	case *orrerypb.Command_Finish:
		c.Body = b
	case *orrerypb.Command_Lost:
		c.Body = b
	case *orrerypb.Command_Cancel:
		c.Body = b
	case *orrerypb.Command_SetClusterConfig:
		c.Body = b
	case *orrerypb.Command_Drained:
		c.Body = b
	case *orrerypb.Command_RaiseVersion:
		c.Body = b
	default:
		panic(fmt.Sprintf("no command: %T", body))
	}
	return c
}

func (m *model) commit(body any) *orrerypb.Answer { return m.propose(command(body)) }

// propose commits commands in one entry, and has members do what follows from it.
func (m *model) propose(commands ...*orrerypb.Command) *orrerypb.Answer {
	m.index++
	for _, c := range commands {
		c.AtNs = wire.Nanos(m.clock())
	}
	entry := &orrerypb.Entry{Term: m.term, Commands: commands}
	answers, events := m.state.Apply(m.index, m.term, entry)
	hash := m.index<<16 | m.term
	m.Logged = append(m.Logged, Logged{At: m.now, Member: "m1", Index: m.index, Term: m.term, PrevTerm: m.logTerm, EntryHash: hash})
	m.logTerm = m.term
	m.Commits = append(m.Commits, Commit{At: m.now, Index: m.index, Term: m.term, Entry: entry, Answers: answers, Events: events, EntryHash: hash})
	for _, member := range []string{replay, "m1", "m2", "m3"} {
		m.Hashes = append(m.Hashes, StateHash{At: m.now, Member: member, Index: m.index, Hash: m.state.Hash()})
	}
	for _, n := range m.state.Notifications(m.told, 100) {
		m.told = n.GetId()
		m.Effects = append(m.Effects, Effect{
			Had: true, At: m.now, ID: n.GetId(), Execution: orrery.ExecutionID(n.GetExecution()),
			Start: n.GetKind() == store.NotificationBefore, Own: n.GetWebhook() != nil,
		})
	}
	for _, e := range events {
		switch e.GetKind() {
		case store.EventAttemptAssigned:
			m.after(travels, func() { m.begin(e) })
		case store.EventCancelling:
			m.after(travels, func() { m.kill(e.GetExecution(), orrery.Reason(e.GetReason())) })
		}
	}
	return answers[0]
}

// begin starts the process of an attempt.
func (m *model) begin(e *orrerypb.Event) {
	id, fence := wire.ToAttempt(e.GetAttempt())
	x := m.state.Executions([]orrery.ExecutionID{id.Execution})
	if len(x) == 0 || x[0].Execution.GetCancelling() != "" {
		m.finish(e.GetAttempt(), orrery.Result{Reason: orrery.ReasonUser})
		return // the cancel was faster
	}
	job := wire.ToJob(x[0].Job.GetJob()).WithDefaults(m.Config)
	p := m.plan(job.Name, e.GetAttempt())
	m.runs[uint64(fence)] = len(m.Processes)
	m.Processes = append(m.Processes, Process{
		Member: e.GetMember(), Incarnation: 1, Attempt: id, Fence: fence, Job: job.Name, UID: orrery.UID(e.GetUid()),
		Exclusive: job.Delivery == orrery.DeliveryExclusive, Started: m.now, Ended: -1,
		Result: orrery.Result{Started: m.clock()},
	})
	m.after(p.takes, func() {
		result := orrery.Result{Succeeded: p.exit == 0, ExitCode: p.exit, Output: []byte(p.output)}
		if p.exit != 0 {
			result.Reason = orrery.ReasonExit
		}
		m.end(e.GetAttempt(), result, travels)
	})
	if p.lost > 0 {
		m.after(p.lost, func() {
			if !p.kept {
				m.end(e.GetAttempt(), orrery.Result{Reason: orrery.ReasonCutOff, ExitCode: 137}, 5*time.Second)
			}
			why := orrery.ReasonRestarted
			if p.silent {
				why = orrery.ReasonSilent
			}
			m.lose(e.GetAttempt(), why)
		})
	}
}

func (m *model) lose(ref *orrerypb.AttemptRef, why orrery.Reason) {
	m.commit(&orrerypb.Command_Lost{Lost: &orrerypb.Lost{Items: []*orrerypb.LostItem{{Attempt: ref, Reason: string(why)}}}})
}

func (m *model) kill(execution uint64, reason orrery.Reason) {
	for _, p := range m.Processes {
		if _, runs := m.runs[uint64(p.Fence)]; runs && uint64(p.Attempt.Execution) == execution {
			m.end(wire.FromAttempt(p.Attempt, p.Fence), orrery.Result{Reason: reason, ExitCode: 143}, travels)
		}
	}
}

// end ends a process that runs, and has its result told a while after.
func (m *model) end(ref *orrerypb.AttemptRef, result orrery.Result, told time.Duration) {
	i, runs := m.runs[ref.GetFence()]
	if !runs {
		return
	}
	delete(m.runs, ref.GetFence())
	p := &m.Processes[i]
	result.Started, result.Finished = p.Result.Started, m.clock()
	p.Ended, p.Result = m.now, result
	m.after(told, func() { m.finish(ref, result) })
}

func (m *model) finish(ref *orrerypb.AttemptRef, result orrery.Result) {
	m.commit(&orrerypb.Command_Finish{Finish: &orrerypb.Finish{Items: []*orrerypb.FinishItem{{Attempt: ref, Result: wire.FromResult(result)}}}})
}

// ask commits what a client asks for and tells it.
func (m *model) ask(r *orrerypb.Request, body any) *orrerypb.Answer {
	m.asked++
	r.RequestId = fmt.Sprint("c1-", m.asked)
	c := command(body)
	c.RequestId, c.IssuedNs = r.RequestId, wire.Nanos(m.clock())
	answer := m.propose(c)
	m.Requests = append(m.Requests, Request{
		Client: "c1", Member: "m1", Request: r, Sent: m.now, Answered: m.now + travels, Tries: 1,
		Response: &orrerypb.Response{Answer: answer},
	})
	return answer
}

// edit is what a write is computed from.
type edit struct {
	record  *orrerypb.JobRecord
	state   *orrerypb.JobState
	settled orrery.Decision
}

func (m *model) edit(name string) edit {
	e := edit{}
	e.record, e.state = m.state.Job(name)
	head := wire.Time(e.state.GetNextNs())
	e.settled = orrery.Decision{Next: head}
	switch {
	case head.IsZero() || head.After(m.clock()):
	case m.state.Paused():
		e.settled = orrery.Settle(m.schedule(e.record), head, m.clock(), orrery.ReasonPaused)
	default:
		e.settled = m.decide(e.record, head)
	}
	return e
}

func (e edit) base() *orrerypb.JobBase {
	return &orrerypb.JobBase{Uid: e.record.GetUid(), Version: e.record.GetVersion()}
}

// put writes a job. A past @at is due at once.
func (m *model) put(j orrery.Job) *orrerypb.Answer {
	j = j.WithDefaults(m.Config)
	e := m.edit(j.Name)
	created := m.clock()
	if e.record != nil {
		created = wire.Time(e.record.GetCreatedNs())
	}
	s := m.schedule(&orrerypb.JobRecord{Job: wire.FromJob(j), CreatedNs: wire.Nanos(created)})
	next := s.Next(m.clock())
	if only := s.Next(time.Time{}); !only.IsZero() && s.Next(only).IsZero() && wire.Nanos(only) > e.state.GetLastDecidedNs() {
		next = only
	}
	if e.record != nil && !e.state.GetDisabled() && wire.ToJob(e.record.GetJob()).SameSchedule(j) {
		next = e.settled.Next
	}
	if j.Disabled {
		next = time.Time{}
	}
	request := &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: wire.FromJob(j)}}}
	return m.ask(request, &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{
		Job: wire.FromJob(j), Base: e.base(), Settle: decisionOf(e.settled), NextNs: wire.Nanos(next),
	}})
}

func (m *model) drop(name string) {
	e := m.edit(name)
	m.ask(&orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: name}}},
		&orrerypb.Command_DeleteJob{DeleteJob: &orrerypb.DeleteJob{Name: name, Base: e.base(), Settle: decisionOf(e.settled)}})
}

func (m *model) toggle(name string, enabled bool) {
	e := m.edit(name)
	c := &orrerypb.SetEnabled{Name: name, Enabled: enabled, Base: e.base(), Settle: decisionOf(e.settled)}
	if enabled && e.record != nil {
		c.NextNs = wire.Nanos(m.schedule(e.record).Next(m.clock()))
	}
	m.ask(&orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: name, Enabled: enabled}}},
		&orrerypb.Command_SetEnabled{SetEnabled: c})
}

func (m *model) pause(paused bool) {
	m.ask(&orrerypb.Request{Body: &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: paused}}},
		&orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: paused}})
}

func (m *model) run(name string) *orrerypb.Answer {
	return m.ask(&orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: name}}},
		&orrerypb.Command_Trigger{Trigger: &orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: name}}}})
}

func (m *model) cancel(execution uint64) {
	m.ask(&orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: execution}}},
		&orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{Execution: execution, Reason: string(orrery.ReasonUser)}})
}

// elect gives the cluster another leader.
func (m *model) elect(member string) {
	m.Leaders[len(m.Leaders)-1].To = m.now
	m.term++
	m.Leaders = append(m.Leaders, Leadership{Member: member, Term: m.term, From: m.now, To: -1})
}

// heal says that the last fault ended now, and lives on until all that follows is seen.
func (m *model) heal() *model {
	m.Healed = m.now
	end := m.now + CalmBound(m.Config, Params{}) + 15*time.Second
	for at := m.now; at <= end; at += time.Second {
		m.until(at)
		m.Samples = append(m.Samples, Sample{
			At: at, Leaders: []string{m.Leaders[len(m.Leaders)-1].Member}, Term: m.term, MinApplied: m.index, MaxApplied: m.index,
		})
	}
	return m
}

// events changes, drops or doubles the events of the log: f returns what to put in the
// place of one.
func (m *model) events(f func(c *Commit, e *orrerypb.Event) []*orrerypb.Event) {
	for i := range m.Commits {
		c := &m.Commits[i]
		var changed []*orrerypb.Event
		for _, e := range c.Events {
			changed = append(changed, f(c, e)...)
		}
		c.Events = changed
	}
}

// judge asks one promise.
func (m *model) judge(name string, p Params) Verdict {
	promise, ok := Find(name)
	if !ok {
		m.t.Fatalf("no promise %q", name)
	}
	m.History.log = nil
	return promise.Check(m.History, p)
}

// verdicts asks all promises and names those that were broken.
func (m *model) broken() (names []string, said string) {
	m.History.log = nil
	var lines []string
	for _, p := range All {
		v := p.Check(m.History, Params{})
		if !v.Kept() {
			names = append(names, v.Promise)
			for _, e := range v.Evidence {
				lines = append(lines, v.Promise+": "+e.Text)
			}
		}
	}
	return names, strings.Join(lines, "\n")
}

// story is a history and what a promise must say of it.
type story struct {
	tell   func(m *model) // what happens, and what is told of it
	params Params
	breach string // part of the evidence; "": the promise is kept
	judged int    // at least so many things were judged; 0: at least one; -1: none
}

// judgeStories holds one promise to a table of stories.
func judgeStories(t *testing.T, promise string, stories map[string]story) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			s.tell(m)
			v := m.judge(promise, s.params)
			var said []string
			for _, e := range v.Evidence {
				said = append(said, e.Text)
			}
			text := strings.Join(said, "\n")
			switch {
			case v.Promise != promise:
				t.Errorf("the verdict is of %q", v.Promise)
			case s.breach == "" && !v.Kept():
				t.Errorf("broken:\n%s", text)
			case s.judged < 0 && v.Judged > 0:
				t.Errorf("%d judged", v.Judged)
			case s.breach == "" && s.judged >= 0 && v.Judged < max(1, s.judged):
				t.Errorf("only %d judged", v.Judged)
			case s.breach != "" && !strings.Contains(text, s.breach):
				t.Errorf("no evidence says %q:\n%s", s.breach, text)
			}
		})
	}
}
