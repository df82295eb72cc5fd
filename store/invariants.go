package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

// CheckInvariants works out everything that follows from the records and holds it
// against what is kept: indices, counters, and the rules that no sequence of commands
// may break. It returns all that is wrong, nil when nothing is. It reads the whole
// state: tests and simulations use it, servers do not.
func (s *State) CheckInvariants() error {
	a := audit{
		s: s, index: make(map[string]string), want: make(map[string]string),
		shares: make(map[uint64]share), rows: make(map[uint64]uint64),
		trees: make(map[uint64]uint64), fences: make(map[uint64]uint64),
	}
	s.kv.view(func(t *tx) {
		a.t = t
		a.read()
		for _, x := range a.executions {
			a.checkExecution(x)
		}
		a.checkDecisions()
		a.checkCauses()
		a.checkOutbox()
		for _, j := range a.jobs {
			a.checkJob(j)
		}
		a.checkRequests()
		a.checkMeta()
		a.checkIndices()
	})
	return errors.Join(a.wrong...)
}

// audit is one such check under way.
type audit struct {
	s *State
	t *tx

	jobs          []*orrerypb.JobState
	executions    []*orrerypb.ExecutionRecord
	rowRecords    []*orrerypb.OutboxRow
	treeRecords   []*orrerypb.TreeRecord
	requests      []*orrerypb.RequestRecord
	notifications uint64
	days          int
	historyBytes  int64
	index         map[string]string // index keys as they are; versions of jobs too, by key alone

	want   map[string]string // index keys as they should be
	shares map[uint64]share  // by uid
	rows   map[uint64]uint64 // chain decisions due, by uid of the child
	trees  map[uint64]uint64 // executions and rows open, by root
	fences map[uint64]uint64 // the execution that has it
	wrong  []error
}

func (a *audit) fail(format string, args ...any) {
	a.wrong = append(a.wrong, fmt.Errorf(format, args...))
}

// must adds a finding unless the rule holds.
func (a *audit) must(holds bool, format string, args ...any) {
	if !holds {
		a.fail(format, args...)
	}
}

// read sorts all there is into records and index keys.
func (a *audit) read() {
	a.t.scan("", "", func(key, value string) bool {
		space, _, _ := strings.Cut(key, "/")
		switch space + "/" {
		case jobSpace:
			a.jobs = append(a.jobs, readRecord(a, key, value, new(orrerypb.JobState), func(j *orrerypb.JobState) string { return jobKey(j.Uid) }))
		case execSpace:
			x := readRecord(a, key, value, new(orrerypb.ExecutionRecord), func(x *orrerypb.ExecutionRecord) string { return execKey(x.Id) })
			a.executions = append(a.executions, x)
			if x.Outcome != 0 {
				a.historyBytes += int64(len(value))
			}
		case outboxSpace:
			a.rowRecords = append(a.rowRecords, readRecord(a, key, value, new(orrerypb.OutboxRow), func(r *orrerypb.OutboxRow) string { return outboxKey(r.Key.Parent, r.Key.Child) }))
		case treeSpace:
			a.treeRecords = append(a.treeRecords, readRecord(a, key, value, new(orrerypb.TreeRecord), func(r *orrerypb.TreeRecord) string { return treeKey(r.Root) }))
		case requestSpace:
			a.requests = append(a.requests, readRecord(a, key, value, new(orrerypb.RequestRecord), func(r *orrerypb.RequestRecord) string { return requestKey(r.RequestId) }))
		case noteSpace:
			readRecord(a, key, value, new(orrerypb.Notification), func(n *orrerypb.Notification) string { return noteKey(n.Id) })
			a.notifications++
		case daySpace:
			d := readRecord(a, key, value, new(orrerypb.DayCount), func(d *orrerypb.DayCount) string { return dayKey(d.DayNs) })
			a.must(d.DayNs%day == 0 && d.Succeeded+d.Failed > 0, "the count of the day %d counts nothing, or no day", d.DayNs)
			a.days++
		case defSpace:
			readRecord(a, key, value, new(orrerypb.JobRecord), func(r *orrerypb.JobRecord) string { return defKey(r.Uid, r.Version) })
			a.index[key] = ""
		case metaKey + "/":
			a.must(encode(a.s.meta) == value, "the settings in memory are not those of the state")
		default:
			a.index[key] = value
		}
		return true
	})
}

// readRecord decodes a record and holds its key against what it says of itself.
func readRecord[R proto.Message](a *audit, key, value string, record R, keyOf func(R) string) R {
	decode(value, record)
	a.must(keyOf(record) == key, "the record at %s says that it is %s", key, keyOf(record))
	return record
}

// checkExecution holds one execution against its own fields.
func (a *audit) checkExecution(x *orrerypb.ExecutionRecord) {
	def := a.s.definition(a.t, x.Uid, x.JobVersion)
	open := x.Outcome == 0
	a.must(x.Id <= a.s.meta.LastExecution, "execution %d was never drawn", x.Id)
	a.must(x.State == uint32(stateOf(x)), "execution %d says state %d and is in %d", x.Id, x.State, stateOf(x))
	a.must(open == (x.ClosedNs == 0 && x.ClosedIndex == 0), "execution %d: outcome and end do not agree", x.Id)
	if open && def == nil {
		a.fail("execution %d is open and version %d of its job is gone", x.Id, x.JobVersion)
		return
	}
	for _, p := range placesOf(x, def) {
		a.want[p.key] = p.value
	}
	if open {
		a.want[defKey(x.Uid, x.JobVersion)] = ""
		if x.Root != x.Id {
			a.trees[x.Root]++
		}
	}
	sum := a.shares[x.Uid]
	a.shares[x.Uid] = sum.plus(shareOf(x))
	running := 0
	for i, slot := range x.Slots {
		a.checkSlot(x, def, i, slot)
		if slot.State != uint32(orrery.StateClosed) {
			running++
		}
	}
	a.must(len(x.Slots) == 0 || open == (running > 0), "execution %d: %d of its slots are open, its outcome is %d", x.Id, running, x.Outcome)
}

func (a *audit) checkSlot(x *orrerypb.ExecutionRecord, def *definition, i int, slot *orrerypb.SlotRecord) {
	name := fmt.Sprintf("slot %d of execution %d", i, x.Id)
	if len(slot.Attempts) == 0 {
		a.fail("%s has no attempt", name)
		return
	}
	last := slot.Attempts[len(slot.Attempts)-1]
	a.must(last.N == slot.N && last.Fence == slot.Fence && last.Member == slot.Member, "%s is not where its last attempt is", name)
	for k, attempt := range slot.Attempts {
		a.must(attempt.N == slot.N-uint32(len(slot.Attempts)-1-k), "%s: its attempts are not numbered in order", name)
		under := attempt == last && slot.State == uint32(orrery.StateRunning)
		a.must(under == (attempt.Outcome == 0), "%s: attempt %d has outcome %d", name, attempt.N, attempt.Outcome)
		a.must(attempt.Fence <= a.s.meta.LastFence, "%s: fence %d was never drawn", name, attempt.Fence)
		a.must(a.fences[attempt.Fence] == 0, "%s: fence %d is also that of execution %d", name, attempt.Fence, a.fences[attempt.Fence])
		a.fences[attempt.Fence] = x.Id
	}
	a.must((slot.State == uint32(orrery.StateClosed)) == (slot.Outcome != 0), "%s: state %d with outcome %d", name, slot.State, slot.Outcome)
	if def == nil {
		return
	}
	a.must(int(slot.N) <= 1+def.job.Retry.Max, "%s is at attempt %d of %d", name, slot.N, 1+def.job.Retry.Max)
	if slot.State == uint32(orrery.StateBackoff) {
		a.must(x.Cancelling == "", "%s waits for another attempt and is barred from it", name)
		a.must(slot.BackoffForNs == backoffFor(def, x.Id, i, slot.N), "%s waits for %d ns", name, slot.BackoffForNs)
		a.must(int(slot.N) <= def.job.Retry.Max, "%s waits for an attempt it may not have", name)
	}
}

// checkDecisions: due times of a job are decided in order, each once.
func (a *audit) checkDecisions() {
	decided := make(map[uint64]int64)
	for _, x := range a.executions {
		cause := orrery.CauseKind(x.Cause)
		if cause != orrery.CauseScheduled && cause != orrery.CauseCatchUp {
			continue
		}
		before, some := decided[x.Uid]
		a.must(!some || x.DueNs > before, "execution %d: a due time of its job was decided after it was decided up to a later one", x.Id)
		decided[x.Uid] = max(x.DueNs, x.SkippedToNs)
	}
	for _, j := range a.jobs {
		latest, some := decided[j.Uid]
		a.must(!some || latest <= j.LastDecidedNs, "job %q: an execution is due after all that was decided", j.Name)
		a.must(dueOf(j) == 0 || j.NextNs > j.LastDecidedNs, "job %q: its next due time was decided before", j.Name)
	}
}

// checkCauses: there is one execution a request and job, and one a parent and child.
func (a *audit) checkCauses() {
	seen := make(map[string]uint64)
	for _, x := range a.executions {
		var cause string
		switch orrery.CauseKind(x.Cause) {
		case orrery.CauseChain:
			cause = fmt.Sprintf("parent %d", x.Parent)
		case orrery.CauseManual:
			cause = "request " + x.RequestId
		}
		if cause == "" || cause == "request " {
			continue
		}
		cause = fmt.Sprintf("job %d, %s", x.Uid, cause)
		a.must(seen[cause] == 0, "executions %d and %d have one cause: %s", seen[cause], x.Id, cause)
		seen[cause] = x.Id
	}
}

// checkOutbox: what a tree has open is open, and nothing else is.
func (a *audit) checkOutbox() {
	for _, row := range a.rowRecords {
		a.rows[row.Key.Child]++
		a.trees[row.Root]++
		a.must(len(row.Parents) > 0, "the chain decision of %d and %d has no parents", row.Key.Parent, row.Key.Child)
	}
	for _, tree := range a.treeRecords {
		a.must(tree.Open > 0 && tree.Open == a.trees[tree.Root], "the tree of %d counts %d open, and has %d", tree.Root, tree.Open, a.trees[tree.Root])
		delete(a.trees, tree.Root)
	}
	for _, root := range slices.Sorted(maps.Keys(a.trees)) {
		a.fail("the tree of %d has %d open, and is not followed", root, a.trees[root])
	}
}

// checkJob holds one job against its executions and its indices.
func (a *audit) checkJob(j *orrerypb.JobState) {
	counted := share{open: j.Open, waiting: j.Waiting, serial: j.Serial, serialWaiting: j.SerialWaiting, kept: j.Kept}
	a.must(counted == a.shares[j.Uid], "job %q counts %+v, and has %+v", j.Name, counted, a.shares[j.Uid])
	a.must(j.Outbox == a.rows[j.Uid], "job %q counts %d chain decisions, and has %d", j.Name, j.Outbox, a.rows[j.Uid])
	delete(a.shares, j.Uid)
	delete(a.rows, j.Uid)
	a.must(j.CountsSinceNs == 0 || a.s.meta.Version >= versionClearHistory, "job %q says since when it counts, in a state of version %d", j.Name, a.s.meta.Version)
	a.must(j.Uid <= a.s.meta.LastUid, "job %q: uid %d was never drawn", j.Name, j.Uid)
	if j.Deleted {
		a.must(j.Open+j.Kept+j.Outbox > 0, "job %q is deleted, and nothing of it is left", j.Name)
		a.must(j.Waiting == 0, "job %q is deleted, and executions of it wait", j.Name)
		return
	}
	def := a.s.definition(a.t, j.Uid, j.Version)
	if def == nil {
		a.fail("job %q: version %d, the one in force, is gone", j.Name, j.Version)
		return
	}
	a.must(def.record.Job.Name == j.Name && def.record.Job.Disabled == j.Disabled, "job %q is not what its version %d says", j.Name, j.Version)
	a.must(!j.Disabled || j.NextNs == 0, "job %q is disabled and has a next due time", j.Name)
	a.must(j.Kept <= uint64(def.job.History), "job %q keeps %d executions of %d", j.Name, j.Kept, def.job.History)
	a.checkOverlap(j, def)
	a.want[defKey(j.Uid, j.Version)] = ""
	a.want[nameKey(j.Name)] = number(j.Uid)
	for _, need := range def.job.Needs {
		a.want[edgeKey(need.Job, j.Uid)] = ""
	}
	if due := dueOf(j); due != 0 {
		a.want[dueKey(due, j.Uid)] = ""
	}
	if expiry := expiryOf(j, def); expiry != 0 {
		a.want[expiryKey(expiry, j.Uid)] = ""
	}
}

// checkOverlap: nobody waits who may start, and no more occupy the job than its policy
// lets. The latter is asked only where all its open executions fired under the version
// in force: those of an earlier one keep what they have.
func (a *audit) checkOverlap(j *orrerypb.JobState, def *definition) {
	for _, lane := range []string{laneCurrent, laneSerial} {
		_, waiting := firstID(a.t, lanePrefix(j.Uid, lane))
		a.must(!waiting || !mayStart(j, def, lane), "job %q: an execution waits that may start", j.Name)
	}
	for _, id := range openIDs(a.t, j.Uid) {
		if x := loadExecution(a.t, id); x.JobVersion != j.Version {
			return
		}
	}
	limit := uint64(def.job.MaxParallel)
	if def.job.Overlap != orrery.OverlapAllow {
		limit = 1
	}
	a.must(limit == 0 || j.Open-j.Waiting <= limit, "job %q: %d executions run, its overlap policy lets %d", j.Name, j.Open-j.Waiting, limit)
	a.must(j.Serial-j.SerialWaiting <= 1, "job %q: %d catch-ups or backfills run at once", j.Name, j.Serial-j.SerialWaiting)
}

func (a *audit) checkRequests() {
	for _, r := range a.requests {
		a.want[askedKey(r.IssuedNs, r.RequestId)] = ""
	}
}

// checkMeta holds the counters of the whole state against what there is.
func (a *audit) checkMeta() {
	m := a.s.meta
	a.must(m.HistoryBytes == a.historyBytes, "the history counts %d bytes, and has %d", m.HistoryBytes, a.historyBytes)
	a.must(m.Requests == uint64(len(a.requests)), "%d requests are counted, and %d kept", m.Requests, len(a.requests))
	a.must(m.Notifications == a.notifications, "%d notifications are counted, and %d wait", m.Notifications, a.notifications)
	a.must(m.Notifications <= notificationsKept, "%d notifications wait", m.Notifications)
	a.must(a.days <= daysKept, "%d days are counted", a.days)
	a.must(a.days == 0 || m.Version >= versionDayCounts, "days are counted in a state of version %d", m.Version)
	for _, uid := range slices.Sorted(maps.Keys(a.shares)) {
		a.fail("there are executions of job %d, and no such job", uid)
	}
	for _, uid := range slices.Sorted(maps.Keys(a.rows)) {
		a.fail("there are chain decisions for job %d, and no such job", uid)
	}
}

// checkIndices compares the index keys there are with those that should be.
func (a *audit) checkIndices() {
	for _, key := range slices.Sorted(maps.Keys(a.index)) {
		value, wanted := a.want[key]
		a.must(wanted && value == a.index[key], "the index key %s should not be there, or not as it is", key)
	}
	for _, key := range slices.Sorted(maps.Keys(a.want)) {
		_, there := a.index[key]
		a.must(there, "the index key %s is missing", key)
	}
}

// plus is the sum of two shares.
func (s share) plus(o share) share {
	return share{
		open: s.open + o.open, waiting: s.waiting + o.waiting,
		serial: s.serial + o.serial, serialWaiting: s.serialWaiting + o.serialWaiting, kept: s.kept + o.kept,
	}
}
