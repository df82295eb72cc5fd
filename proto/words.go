// Package proto holds the wire: what is written to the log, what members say to each
// other and what a snapshot holds, with total conversions to and from the words of
// package orrery and the one codec that every transport uses. It decides nothing.
package proto

import (
	"time"

	"orrery"
	"orrery/proto/orrerypb"
)

// Nanos is an instant as the wire has it: Unix nanoseconds, 0 for the zero time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Time is the reverse of Nanos, in UTC.
func Time(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// FromJob converts a job to the wire.
func FromJob(j orrery.Job) *orrerypb.Job {
	w := &orrerypb.Job{
		Name: j.Name, DisplayName: j.DisplayName, Description: j.Description,
		Owner: j.Owner, OwnerEmail: j.OwnerEmail,
		Schedule: j.Schedule, Timezone: j.Timezone,
		Gap: uint32(j.DST.Gap), Repeat: uint32(j.DST.Repeat),
		StartsAtNs: Nanos(j.StartsAt), ExpiresAtNs: Nanos(j.ExpiresAt),
		Disabled: j.Disabled, Ephemeral: j.Ephemeral,
		Tags: j.Tags, Targets: uint32(j.Targets), Metadata: j.Metadata, Labels: j.Labels,
		Overlap: uint32(j.Overlap), QueueLimit: int64(j.QueueLimit), QueueKeep: uint32(j.QueueKeep),
		MaxParallel: int64(j.MaxParallel),
		Misfire:     uint32(j.Misfire), MisfireWindowNs: int64(j.MisfireWindow), MisfireMax: int64(j.MisfireMax),
		TimeoutNs: int64(j.Timeout), KillGraceNs: int64(j.KillGrace),
		StartDeadlineNs: int64(j.StartDeadline), DeadlineNs: int64(j.Deadline),
		OnLost: uint32(j.OnLost), Delivery: uint32(j.Delivery), Join: uint32(j.Join),
		Executor: j.Executor, ExecutorConfig: j.ExecutorConfig, History: int64(j.History),
	}
	if j.Retry != (orrery.Retry{}) {
		w.Retry = fromRetry(j.Retry)
	}
	for _, n := range j.Needs {
		w.Needs = append(w.Needs, &orrerypb.Need{Job: n.Job, On: uint32(n.On)})
	}
	w.Notify = fromNotify(j.Notify)
	if j.Processors != nil {
		w.Processors = make(map[string]*orrerypb.Processor, len(j.Processors))
		for name, config := range j.Processors {
			w.Processors[name] = &orrerypb.Processor{Config: config}
		}
	}
	return w
}

// ToJob is the reverse of FromJob. Enumerations the word does not know come through
// as they are, for Validate to refuse. A nil job is the zero one.
func ToJob(w *orrerypb.Job) orrery.Job {
	j := orrery.Job{
		Name: w.GetName(), DisplayName: w.GetDisplayName(), Description: w.GetDescription(),
		Owner: w.GetOwner(), OwnerEmail: w.GetOwnerEmail(),
		Schedule: w.GetSchedule(), Timezone: w.GetTimezone(),
		DST:      orrery.DST{Gap: orrery.GapRule(narrow(w.GetGap())), Repeat: orrery.RepeatRule(narrow(w.GetRepeat()))},
		StartsAt: Time(w.GetStartsAtNs()), ExpiresAt: Time(w.GetExpiresAtNs()),
		Disabled: w.GetDisabled(), Ephemeral: w.GetEphemeral(),
		Tags: w.GetTags(), Targets: orrery.Targets(narrow(w.GetTargets())), Metadata: w.GetMetadata(), Labels: w.GetLabels(),
		Overlap: orrery.Overlap(narrow(w.GetOverlap())), QueueLimit: int(w.GetQueueLimit()),
		QueueKeep: orrery.QueueKeep(narrow(w.GetQueueKeep())), MaxParallel: int(w.GetMaxParallel()),
		Misfire: orrery.Misfire(narrow(w.GetMisfire())), MisfireWindow: time.Duration(w.GetMisfireWindowNs()),
		MisfireMax: int(w.GetMisfireMax()),
		Retry:      toRetry(w.GetRetry()),
		Timeout:    time.Duration(w.GetTimeoutNs()), KillGrace: time.Duration(w.GetKillGraceNs()),
		StartDeadline: time.Duration(w.GetStartDeadlineNs()), Deadline: time.Duration(w.GetDeadlineNs()),
		OnLost: orrery.OnLost(narrow(w.GetOnLost())), Delivery: orrery.Delivery(narrow(w.GetDelivery())),
		Join: orrery.Join(narrow(w.GetJoin())), Executor: w.GetExecutor(), ExecutorConfig: w.GetExecutorConfig(),
		History: int(w.GetHistory()), Notify: toNotify(w.GetNotify()),
	}
	for _, n := range w.GetNeeds() {
		j.Needs = append(j.Needs, orrery.Need{Job: n.GetJob(), On: orrery.NeedOn(narrow(n.GetOn()))})
	}
	if w.GetProcessors() != nil {
		j.Processors = make(map[string]map[string]string, len(w.GetProcessors()))
		for name, p := range w.GetProcessors() {
			j.Processors[name] = p.GetConfig()
		}
	}
	return j
}

// narrow keeps an enumeration that is out of a byte's range out of every enumeration's.
func narrow(v uint32) uint8 { return uint8(min(v, 255)) }

func fromRetry(r orrery.Retry) *orrerypb.Retry {
	return &orrerypb.Retry{
		Max: int64(r.Max), InitialNs: int64(r.Backoff.Initial), Factor: int64(r.Backoff.Factor),
		MaxNs: int64(r.Backoff.Max), Jitter: int64(r.Backoff.Jitter), On: uint32(r.On), Node: uint32(r.Node),
	}
}

func toRetry(w *orrerypb.Retry) orrery.Retry {
	return orrery.Retry{
		Max: int(w.GetMax()), On: orrery.RetryOn(narrow(w.GetOn())), Node: orrery.RetryNode(narrow(w.GetNode())),
		Backoff: orrery.Backoff{
			Initial: time.Duration(w.GetInitialNs()), Factor: int(w.GetFactor()),
			Max: time.Duration(w.GetMaxNs()), Jitter: int(w.GetJitter()),
		},
	}
}

// fromNotify is nil for the zero value, as of a job that says nothing of it.
func fromNotify(n orrery.Notify) *orrerypb.Notify {
	w := &orrerypb.Notify{On: uint32(n.On), Before: fromWebhook(n.Before), After: fromWebhook(n.After)}
	if w.On == 0 && w.Before == nil && w.After == nil {
		return nil
	}
	return w
}

func toNotify(w *orrerypb.Notify) orrery.Notify {
	return orrery.Notify{
		On: orrery.NotifyOn(narrow(w.GetOn())), Before: ToWebhook(w.GetBefore()), After: ToWebhook(w.GetAfter()),
	}
}

func fromWebhook(h orrery.Webhook) *orrerypb.Webhook {
	if h.URL == "" && h.Headers == nil && h.Payload == "" {
		return nil
	}
	return &orrerypb.Webhook{Url: h.URL, Headers: h.Headers, Payload: h.Payload}
}

// ToWebhook reads a webhook off the wire. nil is the zero value.
func ToWebhook(w *orrerypb.Webhook) orrery.Webhook {
	return orrery.Webhook{URL: w.GetUrl(), Headers: w.GetHeaders(), Payload: w.GetPayload()}
}

// FromConfig converts the cluster's settings to the wire.
func FromConfig(c orrery.ClusterConfig) *orrerypb.ClusterConfig {
	return &orrerypb.ClusterConfig{
		Zone: c.Zone, LostAfterNs: int64(c.LostAfter), HeartbeatEveryNs: int64(c.HeartbeatEvery),
		MisfireAfterNs: int64(c.MisfireAfter), MaxClockSkewNs: int64(c.MaxClockSkew),
		HistoryMaxBytes: c.HistoryMaxBytes, HistoryMaxAgeNs: int64(c.HistoryMaxAge),
		RequestsKept: int64(c.RequestsKept), RequestsMaxAgeNs: int64(c.RequestsMaxAge),
		DkronPlacement: c.DkronPlacement, NotifyBefore: c.Notify.Before, NotifyAfter: uint32(c.Notify.After),
	}
}

// ToConfig is the reverse of FromConfig. nil is the zero value.
func ToConfig(w *orrerypb.ClusterConfig) orrery.ClusterConfig {
	return orrery.ClusterConfig{
		Zone: w.GetZone(), LostAfter: time.Duration(w.GetLostAfterNs()), HeartbeatEvery: time.Duration(w.GetHeartbeatEveryNs()),
		MisfireAfter: time.Duration(w.GetMisfireAfterNs()), MaxClockSkew: time.Duration(w.GetMaxClockSkewNs()),
		HistoryMaxBytes: w.GetHistoryMaxBytes(), HistoryMaxAge: time.Duration(w.GetHistoryMaxAgeNs()),
		RequestsKept: int(w.GetRequestsKept()), RequestsMaxAge: time.Duration(w.GetRequestsMaxAgeNs()),
		DkronPlacement: w.GetDkronPlacement(),
		Notify:         orrery.ClusterNotify{Before: w.GetNotifyBefore(), After: orrery.NotifyEnds(narrow(w.GetNotifyAfter()))},
	}
}

// FromResult converts the end of an attempt to the wire.
func FromResult(r orrery.Result) *orrerypb.Result {
	return &orrerypb.Result{
		Succeeded: r.Succeeded, ExitCode: int64(r.ExitCode), Reason: string(r.Reason),
		StartedNs: Nanos(r.Started), FinishedNs: Nanos(r.Finished), Output: r.Output, Truncated: r.Truncated,
	}
}

// ToResult is the reverse of FromResult. nil is the zero value.
func ToResult(w *orrerypb.Result) orrery.Result {
	return orrery.Result{
		Succeeded: w.GetSucceeded(), ExitCode: int(w.GetExitCode()), Reason: orrery.Reason(w.GetReason()),
		Started: Time(w.GetStartedNs()), Finished: Time(w.GetFinishedNs()), Output: w.GetOutput(), Truncated: w.GetTruncated(),
	}
}

// FromAttempt names an attempt and its fence on the wire.
func FromAttempt(a orrery.AttemptID, f orrery.Fence) *orrerypb.AttemptRef {
	return &orrerypb.AttemptRef{Execution: uint64(a.Execution), Slot: uint32(a.Slot), N: uint32(a.N), Fence: uint64(f)}
}

// ToAttempt is the reverse of FromAttempt.
func ToAttempt(w *orrerypb.AttemptRef) (orrery.AttemptID, orrery.Fence) {
	return orrery.AttemptID{
		Execution: orrery.ExecutionID(w.GetExecution()), Slot: int(w.GetSlot()), N: int(w.GetN()),
	}, orrery.Fence(w.GetFence())
}
