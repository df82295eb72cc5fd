package store

import (
	"math"
	"time"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// This file says what follows from a record alone: under which index keys it stands
// and what it counts for. The indices are kept by comparing what followed before a
// change with what follows after it, so they cannot disagree with the records.

// place is one index key and its value.
type place struct{ key, value string }

func stands(places []place, p place) bool {
	for _, other := range places {
		if other == p {
			return true
		}
	}
	return false
}

// placesOf are the places of an execution. def is the version that it fired under; a
// closed one needs none.
func placesOf(x *orrerypb.ExecutionRecord, def *definition) []place {
	if x.Outcome != uint32(orrery.OutcomeNone) {
		return []place{{key: pastKey(x.Uid, x.Id)}, {key: closedKey(x.ClosedNs, x.Id)}}
	}
	places := make([]place, 0, 4)
	places = append(places, place{key: openKey(x.Uid, x.JobVersion, x.Id)})
	switch {
	case waits(x):
		places = append(places, place{key: queueKey(x.Uid, laneOf(x), x.Id)})
	case len(x.Slots) == 0:
		places = append(places, place{key: readyKey(x.Id)})
	case runs(x):
		places = append(places, place{key: assignedKey(x.Id)})
	}
	return appendTimers(places, x, def)
}

// appendTimers adds the moments that an open execution waits for.
func appendTimers(places []place, x *orrerypb.ExecutionRecord, def *definition) []place {
	if limit := int64(def.job.StartDeadline); limit > 0 && len(x.Slots) == 0 {
		places = append(places, timerPlace(x, TimerStartDeadline, 0, setAt{x.CreatedNs, x.CreatedTerm}, startWithin(x, limit)))
	}
	if limit := int64(def.job.Deadline); limit > 0 && x.Cancelling == "" {
		places = append(places, timerPlace(x, TimerDeadline, 0, setAt{x.CreatedNs, x.CreatedTerm}, limit))
	}
	for i, slot := range x.Slots {
		if slot.State == uint32(orrery.StateBackoff) {
			places = append(places, timerPlace(x, TimerBackoff, uint32(i), setAt{slot.BackoffSetNs, slot.BackoffTerm}, slot.BackoffForNs))
		}
	}
	return places
}

// startWithin is the time from its creation in which an execution may start. It counts
// from the due time; where that lay in the past by intent, and where there is none,
// from the creation.
func startWithin(x *orrerypb.ExecutionRecord, limit int64) int64 {
	if orrery.CauseKind(x.Cause) != orrery.CauseScheduled {
		return limit
	}
	return max(0, after(x.DueNs, limit)-x.CreatedNs)
}

// setAt is when a timer was set: by the stamp of a leader, and which leader that was.
type setAt struct {
	stamp int64
	term  uint64
}

// timerPlace is a timer that a leader set, to go off a span later. All of it stands in the
// value: a leader that did not set it waits at most the span.
func timerPlace(x *orrerypb.ExecutionRecord, kind TimerKind, slot uint32, set setAt, span int64) place {
	n := uint64(0)
	if kind == TimerBackoff {
		n = uint64(x.Slots[slot].N)
	}
	return place{
		key:   timerKey(after(set.stamp, span), x.Id, kind, slot),
		value: number(uint64(set.stamp)) + number(uint64(span)) + number(n) + number(set.term),
	}
}

// after is the instant a span after another, or the last there is.
func after(at, span int64) int64 {
	if span > 0 && at > math.MaxInt64-span {
		return math.MaxInt64
	}
	return at + span
}

// share is what an execution counts for in the state of its job.
type share struct{ open, waiting, serial, serialWaiting, kept uint64 }

func shareOf(x *orrerypb.ExecutionRecord) share {
	if x.Outcome != uint32(orrery.OutcomeNone) {
		return share{kept: 1}
	}
	s := share{open: 1}
	if waits(x) {
		s.waiting = 1
	}
	if serialCause(x.Cause) {
		s.serial, s.serialWaiting = s.open, s.waiting
	}
	return s
}

// apply puts s in the place of what was counted before.
func (s share) apply(j *orrerypb.JobState, before share) {
	j.Open += s.open - before.open
	j.Waiting += s.waiting - before.waiting
	j.Serial += s.serial - before.serial
	j.SerialWaiting += s.serialWaiting - before.serialWaiting
	j.Kept += s.kept - before.kept
}

// stateOf is where an execution stands.
func stateOf(x *orrerypb.ExecutionRecord) orrery.State {
	switch {
	case x.Outcome != uint32(orrery.OutcomeNone):
		return orrery.StateClosed
	case len(x.Slots) == 0:
		return orrery.StateQueued
	case x.Cancelling != "":
		return orrery.StateCancelling
	case runs(x):
		return orrery.StateRunning
	}
	return orrery.StateBackoff
}

// waits reports whether overlap keeps an open execution waiting.
func waits(x *orrerypb.ExecutionRecord) bool { return len(x.Slots) == 0 && !x.Ready }

// runs reports whether an attempt of an open execution is under way.
func runs(x *orrerypb.ExecutionRecord) bool {
	for _, slot := range x.Slots {
		if slot.State == uint32(orrery.StateRunning) {
			return true
		}
	}
	return false
}

// serialCause reports whether executions of this cause run one after the other,
// whatever the overlap policy.
func serialCause(cause uint32) bool {
	kind := orrery.CauseKind(cause)
	return kind == orrery.CauseCatchUp || kind == orrery.CauseBackfill
}

func laneOf(x *orrerypb.ExecutionRecord) string {
	if serialCause(x.Cause) {
		return laneSerial
	}
	return laneCurrent
}

// dueOf is the due time that the scheduler is to decide next; 0: none.
func dueOf(j *orrerypb.JobState) int64 {
	if j.Disabled || j.Deleted {
		return 0
	}
	return j.NextNs
}

// expiryOf is when a job may be deleted: an ephemeral one from its first success on,
// others from the end of their schedule; 0: never.
func expiryOf(j *orrerypb.JobState, def *definition) int64 {
	switch {
	case j.Deleted:
		return 0
	case def.record.Job.Ephemeral && j.SuccessCount > 0:
		return j.LastSuccessNs
	}
	return def.record.Job.ExpiresAtNs
}

// parseTimer is the reverse of timerPlace.
func parseTimer(key, value string) Timer {
	ids := key[len(timerSpace)+17:] // 16 digits and a slash each
	return Timer{
		At:        proto.Time(timeOf(timerSpace, key)),
		Set:       proto.Time(int64(parseNumber(value[:16]))),
		For:       time.Duration(parseNumber(value[16:32])),
		Kind:      TimerKind(parseNumber(ids[17:33])),
		Execution: orrery.ExecutionID(parseNumber(ids[:16])),
		Slot:      int(lastNumber(key)),
		N:         int(parseNumber(value[32:48])),
		Term:      parseNumber(value[48:]),
	}
}
