package orrery

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// The bounds of a job are far from what anybody needs and near enough that no job
// burdens the cluster: every server holds each of them, and one entry of the log
// carries hundreds.
const (
	maxJobBytes   = 64 << 10 // of all its texts together
	maxNeeds      = 64
	maxTags       = 64
	maxTagMembers = 1000   // the n of "value:n"
	maxRetries    = 1000   // at the default back-off's longest, three and a half days of them
	maxQueueLimit = 10_000 // executions of one job that wait
	maxMisfireMax = 10_000 // catch-ups after one gap: almost three hours of every second
	maxHistory    = 10_000 // closed executions of one job
)

// killGraceReserve is by how much lost_after must exceed a job's kill grace. A
// cut-off member sends TERM a kill grace and LeaseMargin before lost_after has
// passed; what remains of the reserve is how long a member may be out of touch before
// it has to.
const killGraceReserve = 10 * time.Second

// Validate says what can never work about a job: nil, or an Error with code Invalid
// whose one line names the first such field as the job's definition writes it, its
// value, and what would be accepted. It does not matter whether the defaults are
// explicit. Whether the jobs that it needs exist, or need it in turn, and whether any
// member offers its executor, does not follow from the job alone and is not judged.
func (j Job) Validate(cfg ClusterConfig) error {
	cfg = cfg.WithDefaults()
	j = j.WithDefaults(cfg)
	checks := []func(ClusterConfig) error{
		j.checkTexts,
		j.checkSchedule,
		j.checkTags,
		j.checkOverlap,
		j.checkMisfire,
		j.checkRetry,
		j.checkLimits,
		j.checkOnLost,
		j.checkNeeds,
		j.checkExecutor,
		j.checkNotify,
	}
	for _, check := range checks {
		if err := check(cfg); err != nil {
			return err
		}
	}
	return nil
}

func (j Job) checkTexts(ClusterConfig) error {
	if err := checkName("job name", j.Name); err != nil {
		return err
	}
	size := 0
	for _, t := range j.texts() {
		if size += len(t.text); size > maxJobBytes {
			return Invalidf("%s: with this the texts of the job are longer than %d bytes together", t.field, maxJobBytes)
		}
		if err := checkUTF8(t.field, t.text); err != nil {
			return err
		}
	}
	return nil
}

func (j Job) checkSchedule(cfg ClusterConfig) error {
	if j.Schedule == "" && len(j.Needs) == 0 {
		return Invalidf(`schedule: missing: expected one such as "0 30 2 * * *", @every 90s or @manually, or needs`)
	}
	if _, err := LoadZone(j.Timezone); err != nil {
		return Invalidf("timezone: %v", err)
	}
	if err := j.checkSpan(); err != nil {
		return err
	}
	switch {
	case j.DST.Gap > GapSkip:
		return Invalidf("dst.gap %d: expected shift or skip", uint8(j.DST.Gap))
	case j.DST.Repeat > RepeatBoth:
		return Invalidf("dst.repeat %d: expected first, last or both", uint8(j.DST.Repeat))
	}
	_, err := ParseSchedule(j.ScheduleSpec(cfg, time.Time{}))
	return err
}

// checkSpan judges StartsAt and ExpiresAt. Nothing is due from the year 2200 on, so
// nothing can start then; the year 9999 is how some say "never", and RFC 3339's last.
func (j Job) checkSpan() error {
	if err := cmp.Or(checkInstant("starts_at", j.StartsAt, 2200), checkInstant("expires_at", j.ExpiresAt, 10_000)); err != nil {
		return err
	}
	if !j.ExpiresAt.IsZero() && !j.ExpiresAt.After(j.StartsAt) {
		return Invalidf("expires_at %s: must be after starts_at, %s", rfc3339(j.ExpiresAt), rfc3339(j.StartsAt))
	}
	return nil
}

func (j Job) checkTags(ClusterConfig) error {
	if len(j.Tags) > maxTags {
		return Invalidf("tags: %d of them: must be at most %d", len(j.Tags), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(j.Tags)) {
		_, n, err := splitTag(j.Tags[key])
		if err != nil {
			return Invalidf("tags[%s] %v", quoted(key), err)
		}
		if n > 0 && j.Targets == TargetsAll {
			return Invalidf("tags[%s] %s: asks for %d members and targets for all: give one of them", quoted(key), quoted(j.Tags[key]), n)
		}
	}
	return targetsWords.check(j.Targets)
}

func (j Job) checkOverlap(ClusterConfig) error {
	if err := cmp.Or(overlapWords.check(j.Overlap), queueKeepWords.check(j.QueueKeep)); err != nil {
		return err
	}
	switch {
	case j.Overlap != OverlapQueue && j.QueueLimit != 0:
		return Invalidf("queue_limit %d: only with overlap queue, not %s", j.QueueLimit, j.Overlap)
	case j.Overlap != OverlapQueue && j.QueueKeep != QueueKeepFirst:
		return Invalidf("queue_keep %s: only with overlap queue, not %s", j.QueueKeep, j.Overlap)
	case j.Overlap != OverlapAllow && j.MaxParallel != 0:
		return Invalidf("max_parallel %d: only with overlap allow, not %s", j.MaxParallel, j.Overlap)
	case j.Overlap == OverlapReplace && j.OnLost == OnLostWait:
		return Invalidf("overlap replace: not with on_lost wait, or a silent member would hold up every newer execution: expected on_lost retry or fail")
	}
	return cmp.Or(checkCount("queue_limit", j.QueueLimit, maxQueueLimit), checkCount("max_parallel", j.MaxParallel, math.MaxInt))
}

func (j Job) checkMisfire(ClusterConfig) error {
	return cmp.Or(
		misfireWords.check(j.Misfire),
		checkDuration("misfire_window", j.MisfireWindow),
		checkCount("misfire_max", j.MisfireMax, maxMisfireMax),
	)
}

func (j Job) checkRetry(ClusterConfig) error {
	b := j.Retry.Backoff
	err := cmp.Or(
		checkCount("retry.max", j.Retry.Max, maxRetries),
		checkDuration("retry.backoff.initial", b.Initial),
		checkDuration("retry.backoff.max", b.Max),
		retryOnWords.check(j.Retry.On),
		retryNodeWords.check(j.Retry.Node),
	)
	switch {
	case err != nil:
		return err
	case b.Factor < 1000:
		return Invalidf("retry.backoff.factor of %d thousandths: must be at least 1000", b.Factor)
	case b.Max < b.Initial:
		return Invalidf("retry.backoff.max %s: must be at least retry.backoff.initial, %s", b.Max, b.Initial)
	case b.Jitter > 1000:
		return Invalidf("retry.backoff.jitter of %d thousandths: must be at most 1000", b.Jitter)
	}
	return nil
}

func (j Job) checkLimits(cfg ClusterConfig) error {
	err := cmp.Or(
		checkDuration("timeout", j.Timeout),
		checkDuration("kill_grace", j.KillGrace),
		checkDuration("start_deadline", j.StartDeadline),
		checkDuration("deadline", j.Deadline),
	)
	if err != nil {
		return err
	}
	if j.KillGrace > cfg.LostAfter-killGraceReserve {
		return Invalidf("kill_grace %s: must be at least %s shorter than the cluster's lost_after, %s", j.KillGrace, killGraceReserve, cfg.LostAfter)
	}
	return nil
}

func (j Job) checkOnLost(ClusterConfig) error {
	return cmp.Or(onLostWords.check(j.OnLost), deliveryWords.check(j.Delivery))
}

func (j Job) checkNeeds(ClusterConfig) error {
	if len(j.Needs) > maxNeeds {
		return Invalidf("needs: %d of them: must be at most %d", len(j.Needs), maxNeeds)
	}
	seen := map[string]bool{}
	for _, need := range j.Needs {
		if err := cmp.Or(checkName("needs", need.Job), needOnWords.check(need.On)); err != nil {
			return err
		}
		switch {
		case need.Job == j.Name:
			return Invalidf("needs %q: a job cannot run after itself", need.Job)
		case seen[need.Job]:
			return Invalidf("needs %q: given twice", need.Job)
		}
		seen[need.Job] = true
	}
	return joinWords.check(j.Join)
}

func (j Job) checkExecutor(ClusterConfig) error {
	if j.Executor == "" {
		return Invalidf("executor: missing: expected one that a member offers, such as %s or %s", ExecutorShell, ExecutorHTTP)
	}
	return checkCount("history", j.History, maxHistory)
}
