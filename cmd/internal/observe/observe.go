// Package observe turns what the actors tell of themselves into log lines, metrics and
// a stream of events. It changes nothing and holds nobody up: who does not listen fast
// enough misses something, and is told so.
package observe

import (
	"context"
	"log/slog"

	"orrery"
	"orrery/actors"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// Observer hears what the actors of one member emit.
type Observer struct {
	Metrics *Metrics
	Stream  *Stream
	log     *slog.Logger
}

// New returns an observer whose metrics are those of one member.
func New(log *slog.Logger) *Observer {
	return &Observer{Metrics: newMetrics(), Stream: newStream(), log: log}
}

// Emit takes one event of an actor. It does not block.
func (o *Observer) Emit(actor string, event any) {
	switch e := event.(type) {
	case *orrerypb.Event:
		o.Metrics.event(e)
		o.Stream.publish(e)
		o.tell(e)
	case actors.StateHash:
		o.Metrics.applied(e.Index)
		if e.Restored {
			o.log.Info("state restored from a snapshot", "index", e.Index)
		}
	case actors.Probe, orrery.Probe:
	case actors.SessionOpened:
		o.log.Info("member is ready for attempts", "member", e.Member, "incarnation", e.Incarnation)
	case actors.SessionClosed:
		o.log.Warn("member is silent", "member", e.Member, "incarnation", e.Incarnation)
	case actors.AttemptBegun:
		o.log.Debug("attempt begins", "job", e.Job, "attempt", e.Attempt.String())
	case actors.AttemptEnded:
		o.Metrics.attempt(e)
		o.log.Debug("attempt ended", "job", e.Job, "attempt", e.Attempt.String(), "succeeded", e.Result.Succeeded, "reason", e.Result.Reason)
	case actors.ScheduleUnreadable:
		o.Metrics.unreadable.Inc()
		o.log.Error("the schedule of a job cannot be read any more: it is set aside until it is edited", "job", e.Job, "error", e.Err)
	case actors.NotificationDropped:
		o.Metrics.notificationsDropped.Inc()
		o.log.Warn("notification given up", "job", e.Notification.GetJob(), "execution", e.Notification.GetExecution(), "error", e.Err)
	case actors.SnapshotRefused:
		o.log.Error("a snapshot of the log cannot be read: the state stays as it is", "index", e.Index, "error", e.Err)
	default:
		o.log.Debug("event", "actor", actor, "event", event)
	}
}

// tell writes the line that an operator wants to see of an event of the state.
func (o *Observer) tell(e *orrerypb.Event) {
	job := slog.String("job", e.GetJob())
	execution := slog.Uint64("execution", e.GetExecution())
	switch e.GetKind() {
	case store.EventJobPut, store.EventJobDeleted, store.EventJobEnabled, store.EventJobDisabled, store.EventHistoryCleared:
		o.log.Info(words[e.GetKind()], job, "version", e.GetVersion())
	case store.EventPaused, store.EventUnpaused, store.EventConfigSet, store.EventVersionRaised:
		o.log.Info(words[e.GetKind()], "version", e.GetVersion())
	case store.EventSkipped:
		o.log.Info(words[e.GetKind()], job, execution, "reason", e.GetReason())
	case store.EventAttemptLost:
		o.log.Warn(words[e.GetKind()], job, execution, "member", e.GetMember(), "reason", e.GetReason())
	case store.EventExecutionClosed:
		outcome := orrery.Outcome(e.GetOutcome())
		level := slog.LevelDebug
		if outcome == orrery.OutcomeFailed || outcome == orrery.OutcomeLost {
			level = slog.LevelWarn
		}
		o.log.Log(context.Background(), level, words[e.GetKind()], job, execution, "outcome", outcome.String(), "reason", e.GetReason())
	default:
		o.log.Debug(e.GetKind(), job, execution)
	}
}

// words are the log's messages for kinds of events.
var words = map[string]string{
	store.EventJobPut:          "job written",
	store.EventJobDeleted:      "job deleted",
	store.EventJobEnabled:      "job enabled",
	store.EventJobDisabled:     "job disabled",
	store.EventHistoryCleared:  "history cleared",
	store.EventPaused:          "scheduling paused",
	store.EventUnpaused:        "scheduling goes on",
	store.EventConfigSet:       "cluster configured",
	store.EventVersionRaised:   "all servers know a newer version of the state: it is used from now on",
	store.EventSkipped:         "execution skipped",
	store.EventAttemptLost:     "attempt lost",
	store.EventExecutionClosed: "execution ended",
}
