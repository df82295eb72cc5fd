package store

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// A script is a state with a clock and a small language to drive it: one command a
// line, with options as key=value. What a command was computed from (versions, heads,
// fences) is taken from the state unless an option says otherwise, so that a line
// reads as what an up-to-date leader would propose.
type script struct {
	state *State
	now   time.Duration // since epoch
	index uint64
	term  uint64
	last  *orrerypb.Entry

	snapshot *Snapshot
}

// epoch is time 0 of the scripts.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newScript() *script { return newScriptAs(Version) }

// newScriptAs is a script against the state of a release.
func newScriptAs(release uint32) *script {
	state, err := OpenAs(release)
	if err != nil {
		panic(err)
	}
	return &script{state: state, term: 1}
}

// ns is an instant of the script on the wire; 0 is none.
func ns(d time.Duration) int64 { return epoch.Add(d).UnixNano() }

// options are the key=value words of a line; rest are the others.
type options struct {
	rest []string
	at   map[string]string
}

func parseLine(line string) (verb string, o options) {
	words := strings.Fields(line)
	o.at = make(map[string]string)
	for _, word := range words[1:] {
		if key, value, ok := strings.Cut(word, "="); ok {
			o.at[key] = value
		} else {
			o.rest = append(o.rest, word)
		}
	}
	return words[0], o
}

func (o options) has(key string) bool { _, ok := o.at[key]; return ok }

// flag reports whether a bare word stands after the first.
func (o options) flag(word string) bool { return slices.Contains(o.rest[1:], word) }

func (o options) text(key, otherwise string) string {
	if value, ok := o.at[key]; ok {
		return value
	}
	return otherwise
}

func (o options) number(key string, otherwise uint64) uint64 {
	if !o.has(key) {
		return otherwise
	}
	return parseUint(o.at[key])
}

// span is 0 without the option.
func (o options) span(key string) time.Duration { return parseSpan(o.text(key, "0")) }

// instant is on the wire; 0, for none, without the option.
func (o options) instant(key string) int64 {
	if !o.has(key) {
		return 0
	}
	return ns(o.span(key))
}

func parseUint(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return v
}

func parseSpan(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// run carries out one line and returns what is to be seen of it.
func (s *script) run(line string) string {
	verb, o := parseLine(line)
	if command := s.command(verb, o); command != nil {
		command.RequestId, command.AtNs = o.text("request", ""), ns(s.now)
		command.IssuedNs = ns(s.now)
		if o.has("issued") {
			command.IssuedNs = o.instant("issued")
		}
		return s.propose(&orrerypb.Entry{Term: o.number("term", s.term), Commands: []*orrerypb.Command{command}})
	}
	switch verb {
	case "at":
		s.now = parseSpan(o.rest[0])
	case "leader":
		s.term++
	case "again":
		return s.propose(s.last)
	case "knob":
		s.state.Mutate(o.rest[0])
	case "snapshot":
		s.snapshot = s.state.Snapshot()
	case "restore":
		return s.restore()
	default:
		return s.look(verb, o)
	}
	return ""
}

func (s *script) propose(e *orrerypb.Entry) string {
	s.index, s.last = s.index+1, e
	answers, events := s.state.Apply(s.index, s.term, e)
	return renderAnswer(answers[0]) + renderEvents(events)
}

// restore replaces the state by the snapshot that was opened last, read to its end now.
func (s *script) restore() string {
	var stream bytes.Buffer
	for last := false; !last; {
		var piece []byte
		piece, last = s.snapshot.Next(1)
		stream.Write(piece)
	}
	if err := s.state.Restore(&stream); err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("restored entry %d\n", s.state.Index())
}

// command builds the command of a verb; nil: the verb is none.
func (s *script) command(verb string, o options) *orrerypb.Command {
	switch verb {
	case "put":
		return &orrerypb.Command{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{
			Job: jobOf(o.rest[0], o), Base: s.base(o), CheckVersion: o.number("if-match", 0),
			Settle: s.settleOf(o), NextNs: o.instant("next"),
		}}}
	case "delete":
		return &orrerypb.Command{Body: &orrerypb.Command_DeleteJob{DeleteJob: &orrerypb.DeleteJob{
			Name: o.rest[0], Base: s.base(o), CheckVersion: o.number("if-match", 0), Settle: s.settleOf(o),
		}}}
	case "enable", "disable":
		return &orrerypb.Command{Body: &orrerypb.Command_SetEnabled{SetEnabled: &orrerypb.SetEnabled{
			Name: o.rest[0], Enabled: verb == "enable", Base: s.base(o), Settle: s.settleOf(o), NextNs: o.instant("next"),
		}}}
	case "fire":
		return &orrerypb.Command{Body: &orrerypb.Command_Fire{Fire: &orrerypb.Fire{Items: []*orrerypb.FireItem{{
			Uid: s.uid(o.rest[0]), Version: o.number("version", s.version(o.rest[0])),
			Decision: s.decisionOf(o.rest[0], o), Members: placesOn(o.text("on", "")),
		}}}}}
	case "run":
		return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Manual{Manual: &orrerypb.Manual{Job: o.rest[0]}}})
	case "backfill":
		backfill := &orrerypb.Backfill{Job: o.rest[0]}
		for _, due := range o.rest[1:] {
			backfill.DueNs = append(backfill.DueNs, ns(parseSpan(due)))
		}
		return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Backfill{Backfill: backfill}})
	case "chain":
		return trigger(&orrerypb.Trigger{Cause: &orrerypb.Trigger_Chain{Chain: &orrerypb.OutboxKey{
			Parent: parseUint(o.rest[0]), Child: s.uidOnce(o.rest[1]),
		}}})
	case "assign":
		return &orrerypb.Command{Body: &orrerypb.Command_Assign{Assign: &orrerypb.Assign{Items: []*orrerypb.AssignItem{{
			Execution: parseUint(o.rest[0]), Slots: slotsOf(o),
		}}}}}
	case "done":
		return &orrerypb.Command{Body: &orrerypb.Command_Finish{Finish: &orrerypb.Finish{Items: []*orrerypb.FinishItem{{
			Attempt: s.attemptOf(o), Result: resultOf(o),
		}}}}}
	case "lost":
		return &orrerypb.Command{Body: &orrerypb.Command_Lost{Lost: &orrerypb.Lost{Items: []*orrerypb.LostItem{{
			Attempt: s.attemptOf(o), Reason: o.text("reason", "silent"),
		}}}}}
	case "cancel":
		return &orrerypb.Command{Body: &orrerypb.Command_Cancel{Cancel: &orrerypb.Cancel{
			Execution: parseUint(o.rest[0]), Reason: o.text("reason", "user"),
		}}}
	case "forget":
		return &orrerypb.Command{Body: &orrerypb.Command_Forget{Forget: s.forgetOf(o)}}
	case "config":
		return &orrerypb.Command{Body: &orrerypb.Command_SetClusterConfig{SetClusterConfig: &orrerypb.SetClusterConfig{
			Config: &orrerypb.ClusterConfig{
				HistoryMaxBytes: int64(o.number("bytes", 0)), HistoryMaxAgeNs: int64(o.span("age")),
				RequestsKept: int64(o.number("requests", 0)), RequestsMaxAgeNs: int64(o.span("requests-age")),
				NotifyBefore: o.has("notify_before"), NotifyAfter: notifyAfterOf(o),
			},
		}}}
	case "clear":
		return &orrerypb.Command{Body: &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: o.rest[0]}}}
	case "pause", "unpause":
		return &orrerypb.Command{Body: &orrerypb.Command_SetPaused{SetPaused: &orrerypb.SetPaused{Paused: verb == "pause"}}}
	case "drained":
		drained := &orrerypb.Drained{}
		for _, id := range o.rest {
			drained.Notification = append(drained.Notification, parseUint(id))
		}
		return &orrerypb.Command{Body: &orrerypb.Command_Drained{Drained: drained}}
	case "raise-version":
		return &orrerypb.Command{Body: &orrerypb.Command_RaiseVersion{RaiseVersion: &orrerypb.RaiseVersion{Version: uint32(parseUint(o.rest[0]))}}}
	}
	return nil
}

func notifyAfterOf(o options) uint32 {
	var ends orrery.NotifyEnds
	must(ends.UnmarshalText([]byte(o.text("notify_after", ""))))
	return uint32(ends)
}

func trigger(t *orrerypb.Trigger) *orrerypb.Command {
	return &orrerypb.Command{Body: &orrerypb.Command_Trigger{Trigger: t}}
}

// jobOf reads a definition.
func jobOf(name string, o options) *orrerypb.Job {
	j := orrery.Job{
		Name: name, Schedule: "@manually", Executor: "shell",
		Disabled: o.flag("disabled"), Ephemeral: o.flag("ephemeral"), ExpiresAt: proto.Time(o.instant("expires")),
		QueueLimit: int(o.number("queue_limit", 0)), MaxParallel: int(o.number("max_parallel", 0)),
		StartDeadline: o.span("start_deadline"), Deadline: o.span("deadline"), History: int(o.number("history", 0)),
		Retry:  orrery.Retry{Max: int(o.number("retries", 0)), Backoff: orrery.Backoff{Jitter: -1}},
		Notify: orrery.Notify{Before: orrery.Webhook{URL: o.text("before", "")}, After: orrery.Webhook{URL: o.text("after", "")}},
	}
	word := func(key string, into interface{ UnmarshalText([]byte) error }) {
		if o.has(key) {
			if err := into.UnmarshalText([]byte(o.at[key])); err != nil {
				panic(err)
			}
		}
	}
	word("overlap", &j.Overlap)
	word("queue_keep", &j.QueueKeep)
	word("on_lost", &j.OnLost)
	word("join", &j.Join)
	word("retry_on", &j.Retry.On)
	word("notify", &j.Notify.On)
	for _, need := range words(o.text("needs", "")) {
		parent, on, _ := strings.Cut(need, ":")
		n := orrery.Need{Job: parent}
		if on != "" {
			if err := n.On.UnmarshalText([]byte(on)); err != nil {
				panic(err)
			}
		}
		j.Needs = append(j.Needs, n)
	}
	return proto.FromJob(j)
}

func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// base is what an up-to-date leader would have computed a write from, or base=uid/version.
func (s *script) base(o options) *orrerypb.JobBase {
	if o.has("base") {
		uid, version, _ := strings.Cut(o.at["base"], "/")
		return &orrerypb.JobBase{Uid: parseUint(uid), Version: parseUint(version)}
	}
	return &orrerypb.JobBase{Uid: s.uid(o.rest[0]), Version: s.version(o.rest[0])}
}

func (s *script) uid(name string) uint64     { _, j := s.state.Job(name); return j.GetUid() }
func (s *script) version(name string) uint64 { _, j := s.state.Job(name); return j.GetVersion() }

// uidOnce is the uid of a job, or of one that bore the name and is deleted.
func (s *script) uidOnce(name string) (uid uint64) {
	s.state.kv.view(func(t *tx) {
		t.scan(jobSpace, "", func(key, value string) bool {
			if j := loadJob(t, lastNumber(key)); j.Name == name {
				uid = j.Uid
			}
			return true
		})
	})
	return uid
}

// settleOf reads the decision of a write: settle=<next>, with fires= and skip=.
func (s *script) settleOf(o options) *orrerypb.Decision {
	if !o.has("settle") {
		return nil
	}
	o.at["next"], o.at["later"] = o.at["settle"], o.text("next", "")
	d := s.decisionOf(o.rest[0], o)
	o.at["next"] = o.at["later"]
	if o.at["next"] == "" {
		delete(o.at, "next")
	}
	return d
}

// decisionOf reads a decision: due= (the head), fires= (a due time with ! is a
// catch-up), skip=from..to/reason, next=.
func (s *script) decisionOf(name string, o options) *orrerypb.Decision {
	_, j := s.state.Job(name)
	d := &orrerypb.Decision{DueNs: j.GetNextNs(), NextNs: o.instant("next")}
	if o.has("due") {
		d.DueNs = o.instant("due")
	}
	if o.has("skip") {
		span, reason, _ := strings.Cut(o.at["skip"], "/")
		from, to, _ := strings.Cut(span, "..")
		d.SkippedFromNs, d.SkippedToNs, d.SkippedReason = ns(parseSpan(from)), ns(parseSpan(to)), reason
	}
	for _, fire := range words(o.text("fires", "")) {
		due, catchUp := strings.CutSuffix(fire, "!")
		d.Fires = append(d.Fires, &orrerypb.FireTime{DueNs: ns(parseSpan(due)), CatchUp: catchUp})
	}
	return d
}

func placesOn(list string) []*orrerypb.Place {
	var places []*orrerypb.Place
	for _, member := range words(list) {
		places = append(places, &orrerypb.Place{Member: member, Incarnation: 7})
	}
	return places
}

// slotsOf reads the slots of an assignment: on= for first attempts, slot= and n= for
// a later one.
func slotsOf(o options) []*orrerypb.SlotAssignment {
	var slots []*orrerypb.SlotAssignment
	for i, place := range placesOn(o.at["on"]) {
		slots = append(slots, &orrerypb.SlotAssignment{
			Slot: uint32(o.number("slot", 0)) + uint32(i), N: uint32(o.number("n", 1)), Place: place,
		})
	}
	return slots
}

// attemptOf is the newest attempt of a slot, or the one that n= names.
func (s *script) attemptOf(o options) *orrerypb.AttemptRef {
	ref := &orrerypb.AttemptRef{Execution: parseUint(o.rest[0]), Slot: uint32(o.number("slot", 0))}
	s.state.kv.view(func(t *tx) {
		x := loadExecution(t, ref.Execution)
		if x == nil || int(ref.Slot) >= len(x.Slots) {
			return
		}
		for _, a := range x.Slots[ref.Slot].Attempts {
			if n := uint32(o.number("n", 0)); n == 0 || n == a.N {
				ref.N, ref.Fence = a.N, a.Fence
			}
		}
	})
	ref.Fence = o.number("fence", ref.Fence)
	return ref
}

func resultOf(o options) *orrerypb.Result {
	ok := len(o.rest) > 1 && o.rest[1] == "ok"
	reason := ""
	if !ok {
		reason = "exit"
	}
	return &orrerypb.Result{
		Succeeded: ok, Reason: o.text("reason", reason), Output: []byte(o.text("output", "")),
		StartedNs: o.instant("started"),
	}
}

func (s *script) forgetOf(o options) *orrerypb.Forget {
	f := &orrerypb.Forget{
		ClosedBeforeNs: o.instant("before"), HistoryMaxBytes: int64(o.number("bytes", 0)),
		RequestsBeforeNs: o.instant("requests-before"), RequestsKept: int64(o.number("requests", 0)),
		Limit: uint32(o.number("limit", 0)),
	}
	for _, name := range words(o.text("expired", "")) {
		f.Expired = append(f.Expired, &orrerypb.ExpiredJob{Uid: s.uid(name), Version: o.number("version", s.version(name))})
	}
	return f
}

// look answers a question about the state.
func (s *script) look(verb string, o options) string {
	var b strings.Builder
	now := epoch.Add(s.now)
	switch verb {
	case "due":
		due, next := s.state.Due(now, int(o.number("limit", 10)))
		for _, d := range due {
			fmt.Fprintf(&b, "%s v%d due %s, %d open\n", d.Record.Job.Name, d.Record.Version, since(d.Head.UnixNano()), d.Open)
		}
		fmt.Fprintf(&b, "next %s\n", since(proto.Nanos(next)))
	case "timers":
		timers, next := s.state.Timers(LeaderTime{Now: now, Term: s.state.term, Gained: now}, int(o.number("limit", 10)))
		for _, t := range timers {
			kind := [...]string{"backoff", "start_deadline", "deadline"}[t.Kind]
			fmt.Fprintf(&b, "%s of %d.%d.%d at %s, set %s for %s\n", kind, t.Execution, t.Slot, t.N, since(proto.Nanos(t.At)), since(proto.Nanos(t.Set)), t.For)
		}
		fmt.Fprintf(&b, "next %s\n", since(proto.Nanos(next)))
	case "ready", "assigned":
		list := s.state.Ready
		if verb == "assigned" {
			list = s.state.Assigned
		}
		for _, x := range list(orrery.ExecutionID(o.number("after", 0)), int(o.number("limit", 10))) {
			fmt.Fprintf(&b, "%s", renderExecution(x.Execution))
		}
	case "outbox":
		for _, row := range s.state.Outbox(10) {
			fmt.Fprintf(&b, "parent %d, child uid %d, root %d%s\n", row.Key.Parent, row.Key.Child, row.Root, renderParents(row.Parents))
		}
	case "notes":
		for _, n := range s.state.Notifications(o.number("after", 0), 10) {
			b.WriteString(renderNotification(n))
		}
	case "days":
		for _, d := range s.state.Answer(&orrerypb.Request{Body: &orrerypb.Request_Stats{Stats: &orrerypb.StatsRequest{Days: uint32(o.number("last", 0))}}}).Days {
			fmt.Fprintf(&b, "%s: %d succeeded, %d failed\n", proto.Time(d.DayNs).Format(time.DateOnly), d.Succeeded, d.Failed)
		}
	case "retention":
		if f := s.state.Retention(now); f == nil {
			b.WriteString("nothing to drop\n")
		} else {
			fmt.Fprintf(&b, "history before %s, over %d bytes; requests before %s, over %d; expired %v\n",
				since(f.ClosedBeforeNs), f.HistoryMaxBytes, since(f.RequestsBeforeNs), f.RequestsKept, expiredUIDs(f))
		}
	case "jobs":
		s.state.kv.view(func(t *tx) {
			t.scan(jobSpace, "", func(key, _ string) bool {
				b.WriteString(renderJob(loadJob(t, lastNumber(key))))
				return true
			})
		})
	case "executions":
		s.state.kv.view(func(t *tx) {
			t.scan(execSpace, "", func(key, _ string) bool {
				x := loadExecution(t, lastNumber(key))
				if len(o.rest) == 0 || x.JobName == o.rest[0] {
					b.WriteString(renderExecution(x))
				}
				return true
			})
		})
	case "versions":
		s.state.kv.view(func(t *tx) {
			t.scan(defSpace, "", func(_, value string) bool {
				r := new(orrerypb.JobRecord)
				decode(value, r)
				fmt.Fprintf(&b, "%s uid %d v%d, created %s, written %s\n", r.Job.Name, r.Uid, r.Version, since(r.CreatedNs), since(r.UpdatedNs))
				return true
			})
		})
	case "trees":
		s.state.kv.view(func(t *tx) {
			t.scan(treeSpace, "", func(_, value string) bool {
				r := new(orrerypb.TreeRecord)
				decode(value, r)
				fmt.Fprintf(&b, "root %d, %d open%s\n", r.Root, r.Open, renderParents(r.Ended))
				return true
			})
		})
	default:
		panic("no such command: " + verb)
	}
	return b.String()
}

func expiredUIDs(f *orrerypb.Forget) []uint64 {
	var uids []uint64
	for _, e := range f.Expired {
		uids = append(uids, e.Uid)
	}
	return uids
}
