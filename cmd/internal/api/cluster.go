package api

import (
	"time"

	"orrery"
	"orrery/actors"
)

// Member is a member as Dkron shows it, which is as serf does, and what we add.
type Member struct {
	Name        string            `json:"Name"`
	Addr        string            `json:"Addr"`
	Port        uint16            `json:"Port"`
	Tags        map[string]string `json:"Tags"`
	Status      int               `json:"Status" doc:"1 alive, 2 leaving, 3 left, 4 failed"`
	ProtocolMin uint8             `json:"ProtocolMin"`
	ProtocolMax uint8             `json:"ProtocolMax"`
	ProtocolCur uint8             `json:"ProtocolCur"`
	DelegateMin uint8             `json:"DelegateMin"`
	DelegateMax uint8             `json:"DelegateMax"`
	DelegateCur uint8             `json:"DelegateCur"`
	ID          string            `json:"id" doc:"the name"`
	StatusText  string            `json:"statusText" enum:"alive,leaving,left,failed"`

	Server      bool     `json:"server"`
	Incarnation uint64   `json:"incarnation"`
	Executors   []string `json:"executors,omitempty" doc:"that it offers"`
	Version     string   `json:"version,omitempty"`
}

// The states of a member in serf's numbers.
const (
	MemberAlive  = 1
	MemberLeft   = 3
	MemberFailed = 4
)

// SetStatus sets the number and the word. Who is suspect is alive until it is not.
func (m *Member) SetStatus(s actors.MemberStatus) {
	switch s {
	case actors.MemberFailed:
		m.Status, m.StatusText = MemberFailed, "failed"
	case actors.MemberLeft:
		m.Status, m.StatusText = MemberLeft, "left"
	default:
		m.Status, m.StatusText = MemberAlive, "alive"
	}
}

// Agent is what a member says of itself at /v1.
type Agent struct {
	Agent map[string]string `json:"agent" doc:"name, version"`
	Serf  map[string]string `json:"serf"`
	Tags  map[string]string `json:"tags"`
}

// Health is the answer of /health and those below it.
type Health struct {
	Status string `json:"status" enum:"healthy,unhealthy"`
	Leader bool   `json:"leader" doc:"this member leads"`
	Reason string `json:"reason,omitempty"`
}

// Paused says whether the scheduler is paused.
type Paused struct {
	Paused bool `json:"paused"`
}

// Stats counts what ended, by day.
type Stats struct {
	Stats []DayCount `json:"stats" doc:"oldest first"`
}

// DayCount is one day in UTC.
type DayCount struct {
	Date         time.Time `json:"date" doc:"its first instant"`
	SuccessCount uint64    `json:"success_count"`
	FailedCount  uint64    `json:"failed_count"`
}

// Peer is a server of the log.
type Peer struct {
	Node    string `json:"node"`
	ID      string `json:"id"`
	Address string `json:"address"`
	Leader  bool   `json:"leader"`
	Voter   bool   `json:"voter"`
}

// Occurrence is a due time.
type Occurrence struct {
	Due     time.Time `json:"due"`
	Touched string    `json:"touched,omitempty" enum:"shifted,repeated" doc:"what a turned clock did to it"`
}

// ClusterConfig holds the settings that all members share. What is zero has its default.
type ClusterConfig struct {
	Zone            string   `json:"zone,omitempty"`
	LostAfter       Duration `json:"lost_after,omitempty"`
	HeartbeatEvery  Duration `json:"heartbeat_every,omitempty"`
	MisfireAfter    Duration `json:"misfire_after,omitempty"`
	MaxClockSkew    Duration `json:"max_clock_skew,omitempty"`
	HistoryMaxBytes int64    `json:"history_max_bytes,omitempty"`
	HistoryMaxAge   Duration `json:"history_max_age,omitempty"`
	RequestsKept    int      `json:"requests_kept,omitempty"`
	RequestsMaxAge  Duration `json:"requests_max_age,omitempty"`
	DkronPlacement  bool     `json:"dkron_placement"`
	NotifyBefore    bool     `json:"notify_before,omitempty" doc:"the members' webhooks are told when executions start"`
	NotifyAfter     string   `json:"notify_after,omitempty" enum:"none,failure,all" doc:"and which have ended"`
}

// FromConfig is the settings as JSON has them.
func FromConfig(w orrery.ClusterConfig) ClusterConfig {
	return ClusterConfig{
		Zone: w.Zone, LostAfter: Duration(w.LostAfter), HeartbeatEvery: Duration(w.HeartbeatEvery), MisfireAfter: Duration(w.MisfireAfter),
		MaxClockSkew: Duration(w.MaxClockSkew), HistoryMaxBytes: w.HistoryMaxBytes, HistoryMaxAge: Duration(w.HistoryMaxAge),
		RequestsKept: w.RequestsKept, RequestsMaxAge: Duration(w.RequestsMaxAge), DkronPlacement: w.DkronPlacement,
		NotifyBefore: w.Notify.Before, NotifyAfter: word(w.Notify.After),
	}
}

// Words is the reverse of FromConfig.
func (c ClusterConfig) Words() (orrery.ClusterConfig, error) {
	w := orrery.ClusterConfig{
		Zone: c.Zone, LostAfter: time.Duration(c.LostAfter), HeartbeatEvery: time.Duration(c.HeartbeatEvery), MisfireAfter: time.Duration(c.MisfireAfter),
		MaxClockSkew: time.Duration(c.MaxClockSkew), HistoryMaxBytes: c.HistoryMaxBytes, HistoryMaxAge: time.Duration(c.HistoryMaxAge),
		RequestsKept: c.RequestsKept, RequestsMaxAge: time.Duration(c.RequestsMaxAge), DkronPlacement: c.DkronPlacement,
		Notify: orrery.ClusterNotify{Before: c.NotifyBefore},
	}
	return w, w.Notify.After.UnmarshalText([]byte(c.NotifyAfter))
}

// Declaration is a list of jobs as they are to be.
type Declaration struct {
	Jobs  []Job `json:"jobs"`
	Prune bool  `json:"prune,omitempty" doc:"delete all jobs that are not in the list"`
}

// Plan is what a declaration would change, or has changed.
type Plan struct {
	Changes []Change `json:"changes" doc:"in the order in which they are made: what others need comes first"`
	Applied bool     `json:"applied" doc:"all of them were made"`
}

// Change is what happens to one job.
type Change struct {
	Name   string   `json:"name"`
	Action string   `json:"action" enum:"create,update,delete,none"`
	Fields []string `json:"fields,omitempty" doc:"that an update changes"`
	Error  string   `json:"error,omitempty" doc:"why it was not made"`
}

// The actions of a Change.
const (
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionDelete = "delete"
	ActionNone   = "none"
)

// Problem is an error as RFC 9457 has it, for clients that accept application/problem+json.
type Problem struct {
	Type       string      `json:"type" doc:"urn:orrery: and the code"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Detail     string      `json:"detail"`
	Code       orrery.Code `json:"code"`
	Dependents []string    `json:"dependents,omitempty" doc:"that forbid to delete a job"`
}
