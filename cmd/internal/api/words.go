package api

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"time"

	"orrery"
)

// Words converts a job to the words and says what can never work about it, as
// [orrery.Job.Validate] does. Read-only fields are ignored.
func (j *Job) Words(cfg orrery.ClusterConfig) (orrery.Job, error) {
	c := conversion{}
	w := orrery.Job{
		Name: j.Name, DisplayName: j.DisplayName, Description: j.Description, Owner: j.Owner, OwnerEmail: j.OwnerEmail,
		Schedule: j.Schedule, Timezone: j.Timezone, DST: c.dst(j.DST),
		StartsAt: j.StartsAt.Time, ExpiresAt: j.ExpiresAt.Time, Disabled: j.Disabled, Ephemeral: j.Ephemeral,
		Tags: j.Tags, Metadata: j.Metadata, Labels: j.Labels,
		Overlap: c.overlap(j), QueueLimit: j.QueueLimit, MaxParallel: j.MaxParallel,
		MisfireWindow: time.Duration(j.MisfireWindow), MisfireMax: j.MisfireMax,
		Retry:   c.retry(j),
		Timeout: time.Duration(j.Timeout), KillGrace: time.Duration(j.KillGrace),
		StartDeadline: time.Duration(j.StartDeadline), Deadline: time.Duration(j.Deadline),
		Needs: c.needs(j), Executor: j.Executor, ExecutorConfig: j.ExecutorConfig, Processors: j.Processors, History: j.History,
		Notify: c.notify(j.Notify),
	}
	c.word(&w.Targets, j.Targets)
	c.word(&w.QueueKeep, j.QueueKeep)
	c.word(&w.Misfire, j.Misfire)
	c.word(&w.OnLost, j.OnLost)
	c.word(&w.Delivery, j.Delivery)
	c.word(&w.Join, j.Join)
	if j.ParentJob != "" && j.Schedule != "" {
		w.Schedule, w.Labels = "", maps.Clone(w.Labels)
		if w.Labels == nil {
			w.Labels = map[string]string{}
		}
		w.Labels[idleSchedule] = j.Schedule
	}
	if j.Executor == "" && j.Command != "" { // so do many examples, though Dkron forgot how
		w.Executor, w.ExecutorConfig = orrery.ExecutorShell, map[string]string{"command": j.Command, "shell": "true"}
	}
	if c.err != nil {
		return orrery.Job{}, c.err
	}
	return w, w.Validate(cfg)
}

// idleSchedule is the label that keeps the schedule of a child. Dkron ignores it and shows
// it; clients that always send one, such as Terraform's, want to find it again.
const idleSchedule = "orrery/idle-schedule"

// conversion keeps the first error.
type conversion struct{ err error }

func (c *conversion) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *conversion) word(to encoding.TextUnmarshaler, text string) {
	if err := to.UnmarshalText([]byte(text)); err != nil {
		c.fail(err)
	}
}

func (c *conversion) dst(d *DST) (w orrery.DST) {
	if d == nil {
		return w
	}
	var err error
	if w.Gap, err = orrery.ParseGapRule(d.Gap); err != nil {
		c.fail(err)
	}
	if w.Repeat, err = orrery.ParseRepeatRule(d.Repeat); err != nil {
		c.fail(err)
	}
	return w
}

func (c *conversion) overlap(j *Job) (w orrery.Overlap) {
	c.word(&w, j.Overlap)
	was := orrery.OverlapAllow
	switch j.Concurrency {
	case "":
		return w
	case "allow":
	case "forbid":
		was = orrery.OverlapSkip
	default:
		c.fail(orrery.Invalidf("concurrency %q: expected allow or forbid", j.Concurrency))
	}
	if j.Overlap != "" && w != was {
		c.fail(orrery.Invalidf("concurrency %q and overlap %q disagree: give one of them", j.Concurrency, j.Overlap))
	}
	return was
}

func (c *conversion) retry(j *Job) (w orrery.Retry) {
	w.Max = j.Retries
	r := j.Retry
	if r == nil {
		return w
	}
	if r.Max != 0 && j.Retries != 0 && r.Max != j.Retries {
		c.fail(orrery.Invalidf("retries %d and retry.max %d disagree: give one of them", j.Retries, r.Max))
	}
	if r.Max != 0 {
		w.Max = r.Max
	}
	c.word(&w.On, r.On)
	c.word(&w.Node, r.Node)
	if b := r.Backoff; b != nil {
		w.Backoff = orrery.Backoff{Initial: time.Duration(b.Initial), Max: time.Duration(b.Max), Factor: c.thousandths("factor", b.Factor)}
		if b.Jitter != nil {
			w.Backoff.Jitter = c.thousandths("jitter", *b.Jitter)
			if w.Backoff.Jitter == 0 {
				w.Backoff.Jitter = -1 // none, which is not the default
			}
		}
	}
	return w
}

// thousandths reads a share or a factor. Of a negative one the words make another thing.
func (c *conversion) thousandths(field string, f float64) int {
	n := math.Round(f * 1000)
	if f < 0 || n > math.MaxInt32 || math.Abs(n-f*1000) > 1e-6 {
		c.fail(orrery.Invalidf("retry.backoff.%s %v: expected a number of at most three digits behind the point, and not below 0", field, f))
		return 0
	}
	return int(n)
}

func (c *conversion) needs(j *Job) (w []orrery.Need) {
	for _, need := range j.Needs {
		n := orrery.Need{Job: need.Job}
		c.word(&n.On, need.On)
		w = append(w, n)
	}
	if j.ParentJob == "" {
		return w
	}
	parent := orrery.Need{Job: j.ParentJob}
	if len(w) > 0 && (len(w) > 1 || w[0] != parent) {
		c.fail(orrery.Invalidf("parent_job %q and needs disagree: give one of them", j.ParentJob))
	}
	return []orrery.Need{parent}
}

func (c *conversion) notify(n *Notify) (w orrery.Notify) {
	if n == nil {
		return w
	}
	c.word(&w.On, n.On)
	w.Before, w.After = n.Before.words(), n.After.words()
	return w
}

func (h *Webhook) words() orrery.Webhook {
	if h == nil {
		return orrery.Webhook{}
	}
	return orrery.Webhook{URL: h.URL, Headers: h.Headers, Payload: h.Payload}
}

// FromWords is the definition of a job: what Words reads. Fields that are read only stay
// zero.
func FromWords(w orrery.Job) Job {
	j := Job{
		ID: w.Name, Name: w.Name, DisplayName: w.DisplayName, Description: w.Description, Owner: w.Owner, OwnerEmail: w.OwnerEmail,
		Schedule: w.Schedule, Timezone: w.Timezone, DST: fromDST(w.DST),
		StartsAt: Time{w.StartsAt}, ExpiresAt: Time{w.ExpiresAt}, Disabled: w.Disabled, Ephemeral: w.Ephemeral,
		Tags: w.Tags, Metadata: w.Metadata, Labels: w.Labels, Targets: word(w.Targets),
		QueueLimit: w.QueueLimit, QueueKeep: word(w.QueueKeep), MaxParallel: w.MaxParallel,
		Misfire: word(w.Misfire), MisfireWindow: Duration(w.MisfireWindow), MisfireMax: w.MisfireMax,
		Retries: w.Retry.Max, Retry: fromRetry(w.Retry),
		Timeout: Duration(w.Timeout), KillGrace: Duration(w.KillGrace),
		StartDeadline: Duration(w.StartDeadline), Deadline: Duration(w.Deadline),
		OnLost: word(w.OnLost), Delivery: word(w.Delivery), Join: word(w.Join),
		Executor: w.Executor, ExecutorConfig: w.ExecutorConfig, Processors: w.Processors, History: w.History,
		Notify: fromNotify(w.Notify),
	}
	j.Processors = make(map[string]map[string]string, len(w.Processors)) // never null, as in Dkron
	for name, config := range w.Processors {
		if config == nil {
			config = map[string]string{}
		}
		j.Processors[name] = config
	}
	switch w.Overlap {
	case orrery.OverlapAllow:
		j.Concurrency = "allow"
	case orrery.OverlapSkip:
		j.Concurrency = "forbid"
	default:
		j.Overlap = w.Overlap.String()
	}
	if len(w.Needs) == 1 && w.Needs[0].On == orrery.NeedSuccess && w.Schedule == "" {
		j.ParentJob = w.Needs[0].Job
		if idle, ok := w.Labels[idleSchedule]; ok {
			j.Schedule, j.Labels = idle, maps.Clone(w.Labels)
			delete(j.Labels, idleSchedule)
		}
	} else {
		for _, need := range w.Needs {
			j.Needs = append(j.Needs, Need{Job: need.Job, On: need.On.String()})
		}
	}
	return j
}

// word is that of an enumeration; the default needs none.
func word[W interface {
	~uint8
	fmt.Stringer
}](w W) string {
	if w == 0 {
		return ""
	}
	return w.String()
}

func fromDST(w orrery.DST) *DST {
	if w == (orrery.DST{}) {
		return nil
	}
	return &DST{Gap: word(w.Gap), Repeat: word(w.Repeat)}
}

func fromRetry(w orrery.Retry) *Retry {
	r := Retry{On: word(w.On), Node: word(w.Node)}
	if b := w.Backoff; b != (orrery.Backoff{}) {
		r.Backoff = &Backoff{Initial: Duration(b.Initial), Max: Duration(b.Max), Factor: float64(b.Factor) / 1000}
		if b.Jitter != 0 {
			share := float64(max(b.Jitter, 0)) / 1000
			r.Backoff.Jitter = &share
		}
	}
	if r == (Retry{}) {
		return nil
	}
	return &r
}

func fromNotify(w orrery.Notify) *Notify {
	n := Notify{On: word(w.On), Before: fromWebhook(w.Before), After: fromWebhook(w.After)}
	if n == (Notify{}) {
		return nil
	}
	return &n
}

func fromWebhook(w orrery.Webhook) *Webhook {
	if w.URL == "" && w.Payload == "" && len(w.Headers) == 0 {
		return nil
	}
	return &Webhook{URL: w.URL, Headers: w.Headers, Payload: w.Payload}
}
