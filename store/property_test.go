package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

// Any sequence of commands, whether they come from an up-to-date leader, from one that
// is late, twice, or out of order, keeps the invariants; a doubled entry of a leader
// changes nothing but what is asked for twice; and all servers agree, whichever release
// each of them runs.
func TestAnySequenceOfEntriesKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"propose": m.propose,
			"double":  m.double,
			"delay":   m.delay,
			"deliver": m.deliver,
			"time":    func(t *rapid.T) { m.now += rapid.Int64Range(-2, 30).Draw(t, "seconds") },
			"day":     func(*rapid.T) { m.now += 24 * 60 * 60 },
			"leader":  func(*rapid.T) { m.term++ },
			"restart": m.restart,
			"restore": m.restore,
			"upgrade": m.upgrade,
			"raise":   m.raise,
		})
	})
}

// machine is two servers that apply the same log, and a leader whose proposals may
// come late or twice. The second begins as the former release.
type machine struct {
	servers  [2]*State
	log      []*orrerypb.Entry
	terms    []uint64
	term     uint64
	now      int64 // seconds since epoch
	requests int
	late     []*orrerypb.Entry
	ends     map[int64]*orrerypb.DayCount // told of since the state was raised, by day
}

func newMachine(t *rapid.T) *machine {
	m := &machine{term: 1, now: 1, ends: map[int64]*orrerypb.DayCount{}}
	m.servers[0], m.servers[1] = openState(t), openAs(t, Version-1)
	return m
}

type fataler interface{ Fatal(...any) }

func openState(t fataler) *State { return openAs(t, Version) }

func openAs(t fataler, version uint32) *State {
	s, err := OpenAs(version)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *machine) close() {
	for _, s := range m.servers {
		_ = s.Close()
	}
}

func (m *machine) check(t *rapid.T) {
	if err := m.servers[0].CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	if a, b := m.servers[0].Hash(), m.servers[1].Hash(); a != b {
		t.Fatalf("two servers applied the same entries and have hashes %x and %x", a, b)
	}
	m.checkDays(t)
}

// checkDays holds the counts by day against the ends that were told of.
func (m *machine) checkDays(t *rapid.T) {
	days := m.servers[0].Answer(&orrerypb.Request{Body: &orrerypb.Request_Stats{Stats: &orrerypb.StatsRequest{}}}).Days
	for _, got := range days {
		if want := m.ends[got.DayNs]; want.GetSucceeded() != got.Succeeded || want.GetFailed() != got.Failed {
			t.Fatalf("the day %s counts %v, told was %v", since(got.DayNs), got, want)
		}
	}
	if len(days) != len(m.ends) {
		t.Fatalf("%d days are counted, told was of %d", len(days), len(m.ends))
	}
}

// tally counts an end that was told of.
func (m *machine) tally(e *orrerypb.Event) {
	outcome := orrery.Outcome(e.Outcome)
	if e.Kind != EventExecutionClosed || outcome == orrery.OutcomeCancelled || m.servers[0].Meta().Version < versionDayCounts {
		return
	}
	begun := time.Unix(0, e.AtNs).UTC().Truncate(24 * time.Hour).UnixNano()
	if m.ends[begun] == nil {
		m.ends[begun] = &orrerypb.DayCount{}
	}
	if outcome == orrery.OutcomeSucceeded {
		m.ends[begun].Succeeded++
	} else {
		m.ends[begun].Failed++
	}
}

// apply appends an entry to the log. Its answers and events are the same on both servers.
func (m *machine) apply(t *rapid.T, e *orrerypb.Entry) []*orrerypb.Answer {
	m.log, m.terms = append(m.log, e), append(m.terms, m.term)
	var told [2]string
	var answers []*orrerypb.Answer
	for i, s := range m.servers {
		got, events := s.Apply(uint64(len(m.log)), m.term, e)
		for _, a := range got {
			told[i] += renderAnswer(a)
		}
		told[i] += renderEvents(events)
		answers = got
		if i == 0 {
			for _, e := range events {
				m.tally(e)
			}
		}
	}
	if told[0] != told[1] {
		t.Fatalf("two servers told\n%s\nand\n%s", told[0], told[1])
	}
	return answers
}

func (m *machine) propose(t *rapid.T) { m.apply(t, m.entry(t)) }

// double delivers a command twice: the second time it changes nothing, unless it asks
// for something that has no identity without a request id.
func (m *machine) double(t *rapid.T) {
	e := m.entry(t)
	e.Commands = e.Commands[:1]
	m.apply(t, e)
	if repeats(e.Commands[0]) {
		return
	}
	before := m.records()
	for _, a := range m.apply(t, e) {
		if a.Changed && a.Index == uint64(len(m.log)) {
			t.Fatalf("the second time the entry changed the state: %v", e)
		}
	}
	if after := m.records(); after != before {
		t.Fatalf("the second time the entry changed the records: %v", e)
	}
}

// repeats reports whether a command may have an effect each time it comes.
func repeats(c *orrerypb.Command) bool {
	if c.RequestId != "" {
		return false
	}
	switch c.Body.(type) {
	case *orrerypb.Command_Trigger:
		return c.GetTrigger().GetChain() == nil
	case *orrerypb.Command_SetClusterConfig, *orrerypb.Command_Forget:
		return true
	}
	return false
}

// records is the hash of the state but for the settings.
func (m *machine) records() uint64 {
	s := m.servers[0]
	var meta string
	s.kv.view(func(t *tx) { meta, _ = t.get(metaKey) })
	return s.Hash() - recordHash(metaKey, meta)
}

// delay makes an entry that deliver will bring later, in any order.
func (m *machine) delay(t *rapid.T) { m.late = append(m.late, m.entry(t)) }

func (m *machine) deliver(t *rapid.T) {
	if len(m.late) == 0 {
		t.Skip("nothing is on its way")
	}
	i := rapid.IntRange(0, len(m.late)-1).Draw(t, "which")
	e := m.late[i]
	m.late = slices.Delete(m.late, i, i+1)
	e.Term = m.term // as if the leader had held it all the time
	m.apply(t, e)
}

// restart replaces a server by one that read the log again.
func (m *machine) restart(t *rapid.T) { m.replay(t, m.servers[1].Offers()) }

// upgrade replaces a server by one of this release, that read the log again or goes on
// from what the former one wrote.
func (m *machine) upgrade(t *rapid.T) {
	if m.servers[1].Offers() == Version {
		t.Skip("it is of this release")
	}
	if rapid.Bool().Draw(t, "from the log") {
		m.replay(t, Version)
		return
	}
	fresh := openState(t)
	if err := fresh.Restore(bytes.NewReader(written(m.servers[1], 512))); err != nil {
		t.Fatal(err)
	}
	_ = m.servers[1].Close()
	m.servers[1] = fresh
}

// raise raises the state to what both servers offer.
func (m *machine) raise(t *rapid.T) {
	m.apply(t, &orrerypb.Entry{Term: m.term, Commands: []*orrerypb.Command{{
		AtNs: m.ns(m.now), Body: &orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{
			Version: min(m.servers[0].Offers(), m.servers[1].Offers()),
		}},
	}}})
}

func (m *machine) replay(t *rapid.T, release uint32) {
	fresh := openAs(t, release)
	for i, e := range m.log {
		fresh.Apply(uint64(i+1), m.terms[i], e)
	}
	_ = m.servers[1].Close()
	m.servers[1] = fresh
}

// restore replaces a server by one that was given a snapshot of the other.
func (m *machine) restore(t *rapid.T) {
	var stream bytes.Buffer
	snapshot := m.servers[0].Snapshot()
	defer snapshot.Close()
	for last := false; !last; {
		var chunk []byte
		chunk, last = snapshot.Next(512)
		stream.Write(chunk)
	}
	if err := m.servers[1].Restore(&stream); err != nil {
		t.Fatal(err)
	}
	if err := m.servers[1].CheckInvariants(); err != nil {
		t.Fatal(err)
	}
}

// entry draws a batch of commands, most of them plausible.
func (m *machine) entry(t *rapid.T) *orrerypb.Entry {
	e := &orrerypb.Entry{Term: m.term}
	if rapid.IntRange(0, 19).Draw(t, "stale term") == 0 {
		e.Term--
	}
	for range rapid.IntRange(1, 3).Draw(t, "commands") {
		c := m.command(t)
		e.NeedsVersion = max(e.NeedsVersion, NeedsVersion(c))
		c.AtNs, c.IssuedNs = m.ns(m.now), m.ns(m.now)
		if rapid.IntRange(0, 3).Draw(t, "request") == 0 {
			if rapid.Bool().Draw(t, "new") {
				m.requests++
			}
			c.RequestId = fmt.Sprintf("r%d", m.requests)
		}
		e.Commands = append(e.Commands, c)
	}
	return e
}

func (m *machine) ns(second int64) int64 {
	return epoch.Add(time.Duration(second) * time.Second).UnixNano()
}

// names are few, so that jobs are deleted and created again, and needed by others.
var names = []string{"a", "b", "c", "d"}

func (m *machine) command(t *rapid.T) *orrerypb.Command {
	name := rapid.SampledFrom(names).Draw(t, "job")
	kinds := []string{
		"put", "put", "delete", "enable", "disable", "fire", "fire", "fire", "run", "run", "backfill", "chain", "chain",
		"assign", "assign", "assign", "assign", "finish", "finish", "finish", "finish", "lost", "cancel",
		"forget", "pause", "unpause", "drained", "config",
	}
	if m.servers[1].Offers() >= versionClearHistory {
		kinds = append(kinds, "clear")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "clear":
		return &orrerypb.Command{Body: &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: name}}}
	case "put":
		return m.put(t, name)
	case "delete":
		return &orrerypb.Command{Body: &orrerypb.Command_DeleteJob{DeleteJob: &orrerypb.DeleteJob{
			Name: name, Base: m.base(t, name), Settle: m.decision(t, name),
		}}}
	case "enable":
		return m.enable(t, name, true)
	case "disable":
		return m.enable(t, name, false)
	case "fire":
		return m.fire(t)
	case "run":
		return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: name}}})
	case "backfill":
		return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Backfill{Backfill: &orrerypb.Backfill{
			Job: name, DueNs: []int64{m.ns(-10), m.ns(-9)}[:rapid.IntRange(1, 2).Draw(t, "dues")],
		}}})
	case "chain":
		return m.chain(t)
	case "assign":
		return m.assign(t)
	case "finish":
		return m.finish(t)
	case "lost":
		ref, _ := m.attempt(t)
		return &orrerypb.Command{Body: &orrerypb.Command_Lost{Lost: &orrerypb.Lost{Items: []*orrerypb.LostItem{{
			Attempt: ref, Reason: rapid.SampledFrom([]string{"silent", "restarted", "refused"}).Draw(t, "reason"),
		}}}}}
	case "cancel":
		return &orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{
			Execution: m.anyExecution(t), Reason: rapid.SampledFrom([]string{"user", "deadline", "start_deadline"}).Draw(t, "reason"),
		}}}
	case "forget":
		return m.forget(t)
	case "pause", "unpause":
		paused := rapid.Bool().Draw(t, "paused")
		return &orrerypb.Command{Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: paused}}}
	case "drained":
		return &orrerypb.Command{Body: &orrerypb.Command_Drained{Drained: &orrerypb.Drained{
			Notification: []uint64{rapid.Uint64Range(1, 5).Draw(t, "note")},
		}}}
	}
	return &orrerypb.Command{Body: &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{
		Config: &orrerypb.ClusterConfig{
			HistoryMaxBytes: 3000, RequestsKept: 5,
			NotifyBefore: rapid.Bool().Draw(t, "notify before"), NotifyAfter: uint32(rapid.IntRange(0, 2).Draw(t, "notify after")),
		},
	}}}
}

func (m *machine) put(t *rapid.T, name string) *orrerypb.Command {
	job := &orrerypb.Job{
		Name: name, Schedule: "@manually", Executor: "shell",
		Overlap:         uint32(rapid.IntRange(0, 3).Draw(t, "overlap")),
		QueueLimit:      rapid.Int64Range(0, 3).Draw(t, "queue_limit"),
		QueueKeep:       uint32(rapid.IntRange(0, 1).Draw(t, "queue_keep")),
		MaxParallel:     rapid.Int64Range(0, 2).Draw(t, "max_parallel"),
		Retry:           &orrerypb.Retry{Max: rapid.Int64Range(0, 2).Draw(t, "retries"), On: uint32(rapid.IntRange(0, 2).Draw(t, "retry_on"))},
		OnLost:          uint32(rapid.IntRange(0, 2).Draw(t, "on_lost")),
		StartDeadlineNs: rapid.SampledFrom([]int64{0, 5e9}).Draw(t, "start_deadline"),
		DeadlineNs:      rapid.SampledFrom([]int64{0, 20e9}).Draw(t, "deadline"),
		History:         rapid.Int64Range(0, 3).Draw(t, "history"),
		Disabled:        rapid.IntRange(0, 7).Draw(t, "disabled") == 0,
		Ephemeral:       rapid.IntRange(0, 3).Draw(t, "ephemeral") == 0,
		Join:            uint32(rapid.IntRange(0, 1).Draw(t, "join")),
		Notify: &orrerypb.Notify{
			On: uint32(rapid.IntRange(0, 3).Draw(t, "notify")), Before: &orrerypb.Webhook{Url: "http://h/before"}, After: &orrerypb.Webhook{Url: "http://h/after"},
		},
	}
	for range max(0, rapid.IntRange(-3, 2).Draw(t, "needs")) {
		job.Needs = append(job.Needs, &orrerypb.Need{
			Job: rapid.SampledFrom(names).Draw(t, "need"), On: uint32(rapid.IntRange(0, 3).Draw(t, "on")),
		})
	}
	return &orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{
		Job: job, Base: m.base(t, name), Settle: m.decision(t, name), NextNs: m.next(t),
	}}}
}

func (m *machine) enable(t *rapid.T, name string, enabled bool) *orrerypb.Command {
	return &orrerypb.Command{Body: &orrerypb.Command_SetEnabled{SetEnabled: &orrerypb.SetEnabled{
		Name: name, Enabled: enabled, Base: m.base(t, name), Settle: m.decision(t, name), NextNs: m.next(t),
	}}}
}

func (m *machine) next(t *rapid.T) int64 {
	return m.ns(m.now + rapid.Int64Range(1, 20).Draw(t, "next"))
}

// base is what the leader sees of a job.
func (m *machine) base(t *rapid.T, name string) *orrerypb.JobBase {
	_, j := m.servers[0].Job(name)
	base := &orrerypb.JobBase{Uid: j.GetUid(), Version: j.GetVersion()}
	if rapid.IntRange(0, 9).Draw(t, "stale base") == 0 {
		base.Version = max(base.Version, 1) - 1
	}
	return base
}

// decision is one about a job's due times up to now; nil: there are none.
func (m *machine) decision(t *rapid.T, name string) *orrerypb.Decision {
	_, j := m.servers[0].Job(name)
	now := m.ns(m.now)
	if dueOf(orEmpty(j)) == 0 || j.NextNs > now {
		return nil
	}
	d := &orrerypb.Decision{DueNs: j.NextNs, NextNs: m.next(t)}
	due := j.NextNs
	if rapid.IntRange(0, 2).Draw(t, "skipped") == 0 || m.servers[0].Paused() {
		d.SkippedFromNs, d.SkippedToNs, d.SkippedReason = due, due+1e9, string(orrery.ReasonMisfire)
		due += 2e9
	}
	if m.servers[0].Paused() {
		d.NextNs = max(d.NextNs, due)
		return d
	}
	for range rapid.IntRange(0, 3).Draw(t, "fires") {
		d.Fires = append(d.Fires, &orrerypb.FireTime{DueNs: due, CatchUp: rapid.Bool().Draw(t, "catch-up")})
		due += 1e9
	}
	d.NextNs = max(d.NextNs, due+1)
	return d
}

func orEmpty(j *orrerypb.JobState) *orrerypb.JobState {
	if j == nil {
		return &orrerypb.JobState{}
	}
	return j
}

// fire decides all that is due, as the Scheduler would.
func (m *machine) fire(t *rapid.T) *orrerypb.Command {
	fire := &orrerypb.Fire{}
	due, _ := m.servers[0].Due(epoch.Add(time.Duration(m.now)*time.Second), 3)
	for _, d := range due {
		fire.Items = append(fire.Items, &orrerypb.FireItem{
			Uid: d.Record.Uid, Version: d.Record.Version,
			Decision: m.decision(t, d.Record.Job.Name), Members: m.places(t),
		})
	}
	return &orrerypb.Command{Body: &orrerypb.Command_Fire{Fire: fire}}
}

func (m *machine) places(t *rapid.T) []*orrerypb.Place {
	return placesOn(rapid.SampledFrom([]string{"", "m1", "m2", "m1,m2"}).Draw(t, "members"))
}

// chain takes a row of the outbox, or one that is not there.
func (m *machine) chain(t *rapid.T) *orrerypb.Command {
	key := &orrerypb.OutboxKey{Parent: 1, Child: 1}
	if rows := m.servers[0].Outbox(5); len(rows) > 0 {
		key = rapid.SampledFrom(rows).Draw(t, "row").Key
	}
	return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Chain{Chain: key}})
}

// anyExecution prefers those that something can be done about.
func (m *machine) anyExecution(t *rapid.T) uint64 {
	last := m.servers[0].Meta().LastExecution
	return rapid.Uint64Range(max(last, 6)-5, last+1).Draw(t, "execution")
}

func (m *machine) assign(t *rapid.T) *orrerypb.Command {
	item := &orrerypb.AssignItem{Execution: m.anyExecution(t)}
	if ready := m.servers[0].Ready(0, 3); len(ready) > 0 && rapid.Bool().Draw(t, "ready") {
		item.Execution = rapid.SampledFrom(ready).Draw(t, "of").Execution.Id
	}
	n := uint32(1)
	if timers, _ := m.servers[0].Timers(LeaderTime{Now: epoch.Add(time.Hour), Gained: epoch}, 5); len(timers) > 0 && rapid.Bool().Draw(t, "retry") {
		timer := rapid.SampledFrom(timers).Draw(t, "timer")
		item.Execution, n = uint64(timer.Execution), uint32(timer.N+1)
		item.Slots = []*orrerypb.SlotAssignment{{Slot: uint32(timer.Slot), N: n, Place: placesOn("m3")[0]}}
	}
	for i, place := range m.places(t) {
		item.Slots = append(item.Slots, &orrerypb.SlotAssignment{Slot: uint32(i), N: n, Place: place})
	}
	return &orrerypb.Command{Body: &orrerypb.Command_Assign{Assign: &orrerypb.Assign{Items: []*orrerypb.AssignItem{item}}}}
}

// attempt is one that runs, most of the time, or any that is in a record.
func (m *machine) attempt(t *rapid.T) (*orrerypb.AttemptRef, bool) {
	id := m.anyExecution(t)
	if assigned := m.servers[0].Assigned(0, 5); len(assigned) > 0 && rapid.IntRange(0, 4).Draw(t, "running") > 0 {
		id = rapid.SampledFrom(assigned).Draw(t, "of").Execution.Id
	}
	found := m.servers[0].Executions([]orrery.ExecutionID{orrery.ExecutionID(id)})
	if len(found) > 0 && len(found[0].Execution.Slots) > 0 {
		slots := found[0].Execution.Slots
		i := rapid.IntRange(0, len(slots)-1).Draw(t, "slot")
		a := rapid.SampledFrom(slots[i].Attempts).Draw(t, "attempt")
		return &orrerypb.AttemptRef{Execution: id, Slot: uint32(i), N: a.N, Fence: a.Fence}, true
	}
	return &orrerypb.AttemptRef{Execution: id, N: 1, Fence: 1}, false
}

func (m *machine) finish(t *rapid.T) *orrerypb.Command {
	ref, _ := m.attempt(t)
	result := &orrerypb.Result{Succeeded: rapid.Bool().Draw(t, "ok"), Output: []byte("output")}
	if !result.Succeeded {
		result.Reason = rapid.SampledFrom([]string{"exit", "timeout", "cut_off"}).Draw(t, "reason")
	}
	return &orrerypb.Command{Body: &orrerypb.Command_Finish{Finish: &orrerypb.Finish{Items: []*orrerypb.FinishItem{{Attempt: ref, Result: result}}}}}
}

func (m *machine) forget(t *rapid.T) *orrerypb.Command {
	f := &orrerypb.Forget{
		ClosedBeforeNs:   m.ns(m.now - rapid.Int64Range(5, 60).Draw(t, "age")),
		HistoryMaxBytes:  rapid.SampledFrom([]int64{0, 500, 1000}).Draw(t, "bytes"),
		RequestsBeforeNs: m.ns(m.now - rapid.Int64Range(5, 60).Draw(t, "age")),
		RequestsKept:     rapid.Int64Range(0, 3).Draw(t, "requests"),
		Limit:            uint32(rapid.IntRange(0, 3).Draw(t, "limit")),
	}
	for _, name := range names {
		record, _ := m.servers[0].Job(name)
		f.Expired = append(f.Expired, &orrerypb.ExpiredJob{Uid: record.GetUid(), Version: record.GetVersion()})
	}
	return &orrerypb.Command{Body: &orrerypb.Command_Forget{Forget: f}}
}
