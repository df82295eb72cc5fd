package api

import "time"

// Job is a job as the API has it: Dkron's fields first, in Dkron's order, then ours. Ours
// are left out where they have their defaults.
//
// Where Dkron has a word for what ours say, its word alone is written: concurrency for
// overlap allow and skip, retries for retry.max, parent_job for a job without schedule
// that needs one other's success. So who reads a job, changes a word of Dkron's and writes
// it again does not contradict himself. Both are read; where both are given they must agree.
type Job struct {
	ID             string                       `json:"id" readOnly:"true" doc:"the name"`
	Name           string                       `json:"name" doc:"letters, digits, '_', '-' and '.'; at most 128 bytes"`
	DisplayName    string                       `json:"displayname"`
	Timezone       string                       `json:"timezone" doc:"IANA name; empty: the one that the schedule names, or the cluster's"`
	Schedule       string                       `json:"schedule" doc:"five, six or seven fields, @every, @at, @manually, @daily and the like; ignored beside parent_job"`
	Owner          string                       `json:"owner"`
	OwnerEmail     string                       `json:"owner_email"`
	SuccessCount   uint64                       `json:"success_count" readOnly:"true"`
	ErrorCount     uint64                       `json:"error_count" readOnly:"true"`
	LastSuccess    Time                         `json:"last_success" readOnly:"true"`
	LastError      Time                         `json:"last_error" readOnly:"true"`
	Disabled       bool                         `json:"disabled"`
	Tags           map[string]string            `json:"tags" nullable:"true" doc:"of the members to run on; \"value:n\" asks for n members"`
	Metadata       map[string]string            `json:"metadata" nullable:"true"`
	Retries        int                          `json:"retries" minimum:"0" doc:"further attempts"`
	DependentJobs  []string                     `json:"dependent_jobs" readOnly:"true" nullable:"true"`
	ParentJob      string                       `json:"parent_job" doc:"runs after this one's success; its own schedule is ignored then"`
	Processors     map[string]map[string]string `json:"processors" nullable:"true"`
	Concurrency    string                       `json:"concurrency" enum:",allow,forbid" doc:"empty where only overlap says it"`
	Executor       string                       `json:"executor"`
	ExecutorConfig map[string]string            `json:"executor_config" nullable:"true"`
	Status         string                       `json:"status" readOnly:"true" enum:",success,failed,partially_failed" doc:"of the execution that ended last"`
	Next           time.Time                    `json:"next" readOnly:"true" doc:"0001-01-01T00:00:00Z: none"`
	Ephemeral      bool                         `json:"ephemeral" doc:"deleted after its first success"`
	ExpiresAt      Time                         `json:"expires_at"`
	StartsAt       Time                         `json:"starts_at"`

	Description   string            `json:"description,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	DST           *DST              `json:"dst,omitempty"`
	Targets       string            `json:"targets,omitempty" enum:"one,all"`
	Overlap       string            `json:"overlap,omitempty" enum:"allow,skip,queue,replace"`
	QueueLimit    int               `json:"queue_limit,omitempty" doc:"executions that may wait, with overlap queue"`
	QueueKeep     string            `json:"queue_keep,omitempty" enum:"first,latest"`
	MaxParallel   int               `json:"max_parallel,omitempty" doc:"executions at once, with overlap allow"`
	Misfire       string            `json:"misfire,omitempty" enum:"once,skip,all"`
	MisfireWindow Duration          `json:"misfire_window,omitempty"`
	MisfireMax    int               `json:"misfire_max,omitempty"`
	Retry         *Retry            `json:"retry,omitempty"`
	Timeout       Duration          `json:"timeout,omitempty" doc:"of one attempt"`
	KillGrace     Duration          `json:"kill_grace,omitempty" doc:"between TERM and KILL"`
	StartDeadline Duration          `json:"start_deadline,omitempty" doc:"how late an execution may start"`
	Deadline      Duration          `json:"deadline,omitempty" doc:"of the whole execution"`
	OnLost        string            `json:"on_lost,omitempty" enum:"retry,fail,wait"`
	Delivery      string            `json:"delivery,omitempty" enum:"default,exclusive,at_least_once"`
	Needs         []Need            `json:"needs,omitempty"`
	Join          string            `json:"join,omitempty" enum:"all,any"`
	History       int               `json:"history,omitempty" doc:"closed executions kept"`
	Notify        *Notify           `json:"notify,omitempty"`
	Command       string            `json:"command,omitempty" writeOnly:"true" doc:"as before executors were: run by a shell, where no executor is given"`

	Version   uint64    `json:"version,omitempty" readOnly:"true" doc:"the ETag; If-Match asks that it is still so"`
	CreatedAt time.Time `json:"created_at,omitzero" readOnly:"true"`
	UpdatedAt time.Time `json:"updated_at,omitzero" readOnly:"true"`
}

// DST says what a fixed time does when its zone's clock is turned.
type DST struct {
	Gap    string `json:"gap,omitempty" enum:"shift,skip"`
	Repeat string `json:"repeat,omitempty" enum:"first,last,both"`
}

// Retry is all that the number of retries leaves open.
type Retry struct {
	Max     int      `json:"max,omitempty" doc:"the same as retries"`
	Backoff *Backoff `json:"backoff,omitempty"`
	On      string   `json:"on,omitempty" enum:"any,failure,lost"`
	Node    string   `json:"node,omitempty" enum:"any,same,different"`
}

// Backoff is the time between two attempts.
type Backoff struct {
	Initial Duration `json:"initial,omitempty"`
	Factor  float64  `json:"factor,omitempty" doc:"with which it grows, in thousandths"`
	Max     Duration `json:"max,omitempty"`
	Jitter  *float64 `json:"jitter,omitempty" doc:"the part of it that chance decides; 0: none"`
}

// Need is one edge of a chain.
type Need struct {
	Job string `json:"job"`
	On  string `json:"on,omitempty" enum:"success,failure,lost,always"`
}

// Notify says who outside is told of the job's executions, and of which.
type Notify struct {
	On     string   `json:"on,omitempty" enum:"default,always,failure,never"`
	Before *Webhook `json:"before,omitempty" doc:"told when an execution starts"`
	After  *Webhook `json:"after,omitempty" doc:"told when an execution has ended"`
}

// Webhook is a request that is made of a receiver.
type Webhook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Payload string            `json:"payload,omitempty" doc:"a template; empty: a summary in JSON"`
}
