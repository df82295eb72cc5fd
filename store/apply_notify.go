package store

import (
	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// The kinds of notifications.
const (
	NotificationBefore = "before" // an execution starts: its first attempt is assigned
	NotificationAfter  = "after"  // one that was not skipped has closed
	NotificationClosed = "closed" // likewise, of version 1: whoever wants it or not
)

// notificationsKept bounds the outbox when nobody drains it: a channel that was down
// for that long is told of the newest.
const notificationsKept = 10_000

// notifyStart puts the start of an execution into the outbox, a row for each who is to be
// told.
func (c *change) notifyStart(x *execution) {
	if !c.raisedTo(versionNotify) {
		return
	}
	notify := x.def.job.Notify
	own, members := notify.TellsStart(proto.ToConfig(c.meta.Config).Notify)
	if own {
		c.owesNotice(x, NotificationBefore, x.def.record.Job.Notify.Before)
	}
	if members {
		c.owesNotice(x, NotificationBefore, nil)
	}
}

// notifyEnd does so for the end of an execution that was not skipped.
func (c *change) notifyEnd(x *execution) {
	if !c.raisedTo(versionNotify) {
		c.putNotice(&orrerypb.Notification{Kind: NotificationClosed, Job: x.JobName, Execution: x.Id, Outcome: x.Outcome})
		return
	}
	notify := x.def.job.Notify
	own, members := notify.TellsEnd(proto.ToConfig(c.meta.Config).Notify, orrery.Outcome(x.Outcome))
	if own {
		c.owesNotice(x, NotificationAfter, x.def.record.Job.Notify.After)
	}
	if members {
		c.owesNotice(x, NotificationAfter, nil)
	}
}

// owesNotice adds a row with all that its sending needs. The webhook is that of the
// version that the execution fired under; nil: the members' own.
func (c *change) owesNotice(x *execution, kind string, webhook *orrerypb.Webhook) {
	c.putNotice(&orrerypb.Notification{
		Kind: kind, Job: x.JobName, Uid: x.Uid, Execution: x.Id, Outcome: x.Outcome, Reason: x.Reason, Webhook: webhook,
	})
}

// putNotice adds a row, and lets the oldest go when there are too many.
func (c *change) putNotice(n *orrerypb.Notification) {
	c.meta.LastNotification++
	c.meta.Notifications++
	n.Id, n.AtNs = c.meta.LastNotification, c.at
	c.t.put(noteKey(n.Id), encode(n))
	if c.meta.Notifications > notificationsKept {
		oldest, _ := firstID(c.t, noteSpace)
		dropped := c.forgetNotification(oldest)
		c.tell(&orrerypb.Event{
			Kind: EventNotificationDropped, Job: dropped.Job, Uid: dropped.Uid, Execution: dropped.Execution, Notification: dropped.Id,
		})
	}
}

func (c *change) drained(command *orrerypb.Drained) *orrerypb.Answer {
	answer := unchanged()
	for _, id := range command.Notification {
		if c.forgetNotification(id) != nil {
			answer.Changed = true
		}
	}
	return answer
}

// forgetNotification takes a row out of the outbox and returns it; nil: it is not there.
func (c *change) forgetNotification(id uint64) *orrerypb.Notification {
	value, ok := c.t.get(noteKey(id))
	if !ok {
		return nil
	}
	c.t.del(noteKey(id))
	c.meta.Notifications--
	n := new(orrerypb.Notification)
	decode(value, n)
	return n
}
