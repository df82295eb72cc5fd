package httpapi

import (
	"reflect"

	"orrery/cmd/internal/api"
)

// operation is one line of the API: the route and its description alike.
type operation struct {
	method string
	path   string // as ServeMux has it
	id     string
	about  string
	scope  Scope
	params []param
	body   bodyKind
	status int          // of success; 0 is 200
	answer reflect.Type // of the JSON; nil: of type media
	media  string
	serve  func(*API, *call) error
}

// bodyKind says what a request carries.
type bodyKind uint8

const (
	bodyNone   bodyKind = iota
	bodyJob             // a job
	bodyConfig          // the settings
	bodyJobs            // a declaration, or a list of jobs
	bodyFile            // a form with a file
	bodyStream          // a snapshot
)

// param is a parameter of the query.
type param struct {
	name  string
	about string
	kind  paramKind
	words []string // that are accepted; nil: any
}

type paramKind uint8

const (
	isText paramKind = iota
	isNumber
	isFlag
	isHeader
)

var (
	pretty     = param{"pretty", "indent the JSON", isFlag, nil}
	consistent = param{"consistent", "have the leader answer, once it made sure that it leads", isFlag, nil}
	start      = param{"_start", "the first of the list, from 0", isNumber, nil}
	end        = param{"_end", "the one behind the last", isNumber, nil}
	sizeLimit  = param{"output_size_limit", "bytes of output at most", isNumber, nil}
	key        = param{headerKey, "a write with the same has one effect", isHeader, nil}
	issued     = param{headerIssued, "when the write was first sent, as RFC 3339 has it", isHeader, nil}
	ifMatch    = param{"If-Match", "the version that the job must have", isHeader, nil}
	resume     = param{"Last-Event-ID", "of the event seen last", isHeader, nil}
	wait       = param{"wait", "how long to wait for the end, such as 30s", isText, nil}
	onCreate   = param{"runoncreate", "run it at once", isFlag, nil}
	prune      = param{"prune", "delete all jobs that are not in the list", isFlag, nil}
	order      = param{"_order", "", isText, []string{"ASC", "DESC"}}
)

var listOfJobs = []param{
	{"metadata[key]", "a value that the metadata must have", isText, nil},
	{"labels[key]", "a value that the labels must have", isText, nil},
	{"_sort", "", isText, []string{"id", "name", "displayname", "display_name", "schedule", "success_count", "error_count", "last_success", "last_error", "next"}},
	order,
	{"q", "a part of the name or display name", isText, nil},
	{"status", "", isText, []string{"success", "failed", "partially_failed", "untriggered"}},
	{"disabled", "", isText, []string{"true", "false"}},
	start, end, consistent, pretty,
}

var listOfExecutions = []param{
	{"_sort", "", isText, []string{"id", "started_at", "finished_at", "due", "attempt"}},
	order,
	{"state", "", isText, []string{"queued", "running", "backoff", "cancelling", "succeeded", "failed", "lost", "cancelled", "skipped"}},
	{"from", "created not before", isText, nil},
	{"to", "created before", isText, nil},
	sizeLimit, start, end, consistent, pretty,
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

const (
	plainText = "text/plain"
	sse       = "text/event-stream"
	octets    = "application/octet-stream"
	anything  = "*/*"
)

// operations is the whole API.
var operations = []operation{
	{method: "GET", path: "/health", id: "health", about: "whether the member can serve; 503 when not", answer: typeOf[api.Health](), serve: (*API).showHealth},
	{method: "GET", path: "/health/live", id: "healthLive", about: "whether the process answers", answer: typeOf[api.Health](), serve: (*API).live},
	{method: "GET", path: "/health/ready", id: "healthReady", about: "the same as /health", answer: typeOf[api.Health](), serve: (*API).showHealth},
	{method: "GET", path: "/metrics", id: "metrics", about: "the member's numbers, for Prometheus", scope: ScopeRead, media: anything, serve: (*API).metrics},
	{method: "GET", path: "/openapi.json", id: "openapi", about: "this document", media: "application/json", serve: (*API).openapi},
	{method: "GET", path: "/debug/pprof/", id: "profile", about: "profiles of the process", scope: ScopeAdmin, media: anything, serve: (*API).profile},

	{method: "GET", path: "/v1", id: "agent", about: "what the member says of itself", scope: ScopeRead, params: []param{pretty}, answer: typeOf[api.Agent](), serve: (*API).index},
	{method: "GET", path: "/v1/members", id: "members", about: "all members", scope: ScopeRead, params: []param{pretty}, answer: typeOf[[]api.Member](), serve: (*API).members},
	{method: "DELETE", path: "/v1/members/{name}", id: "removeMember", about: "forget a member that will not come back", scope: ScopeAdmin, answer: typeOf[api.Member](), serve: (*API).removeMember},
	{method: "GET", path: "/v1/leader", id: "leader", about: "the member that leads; 404: nobody, as far as is known", scope: ScopeRead, params: []param{pretty}, answer: typeOf[api.Member](), serve: (*API).leader},
	{method: "GET", path: "/v1/isleader", id: "isLeader", about: "whether this member leads; 404: it does not", scope: ScopeRead, answer: typeOf[string](), serve: (*API).isLeader},
	{method: "POST", path: "/v1/leave", id: "leave", about: "have this member leave the cluster", scope: ScopeAdmin, answer: typeOf[[]string](), serve: (*API).leave},

	{method: "GET", path: "/v1/raft/peers", id: "peers", about: "the servers of the log", scope: ScopeRead, params: []param{pretty}, answer: typeOf[[]api.Peer](), serve: (*API).peers},
	{method: "DELETE", path: "/v1/raft/peers/{id}", id: "removePeer", about: "remove a server from the log", scope: ScopeAdmin, answer: typeOf[string](), serve: (*API).removePeer},
	{method: "POST", path: "/v1/raft/transfer-leader", id: "transferLeadership", about: "hand leadership to another server", scope: ScopeAdmin, answer: typeOf[string](), serve: (*API).transferLeadership},
	{method: "GET", path: "/v1/cluster/config", id: "getConfig", about: "the settings that all members share", scope: ScopeRead, params: []param{pretty}, answer: typeOf[api.ClusterConfig](), serve: (*API).getConfig},
	{method: "PUT", path: "/v1/cluster/config", id: "putConfig", about: "replace the settings that all members share", scope: ScopeAdmin, params: []param{key, issued}, body: bodyConfig, answer: typeOf[api.ClusterConfig](), serve: (*API).putConfig},
	{method: "GET", path: "/v1/snapshot", id: "snapshot", about: "the state as it is now", scope: ScopeAdmin, media: octets, serve: (*API).snapshot},
	{method: "POST", path: "/v1/snapshot", id: "restoreSnapshot", about: "replace the state of the cluster by a snapshot", scope: ScopeAdmin, body: bodyStream, answer: typeOf[string](), serve: (*API).restoreSnapshot},
	{method: "GET", path: "/v1/events", id: "events", about: "what happens, as server-sent events", scope: ScopeRead, media: sse, serve: (*API).events,
		params: []param{{"job", "of this job alone", isText, nil}, {"kind", "of these kinds alone, with commas", isText, nil}, resume}},

	{method: "GET", path: "/v1/pause", id: "getPause", about: "whether the scheduler is paused", scope: ScopeRead, answer: typeOf[api.Paused](), serve: (*API).paused},
	{method: "POST", path: "/v1/pause", id: "pause", about: "fire nothing, and take no jobs one by one", scope: ScopeWrite, params: []param{key, issued}, answer: typeOf[api.Paused](), serve: (*API).pause},
	{method: "POST", path: "/v1/unpause", id: "unpause", about: "go on", scope: ScopeWrite, params: []param{key, issued}, answer: typeOf[api.Paused](), serve: (*API).unpause},
	{method: "GET", path: "/v1/stats", id: "stats", about: "how executions ended, by day", scope: ScopeRead, params: []param{{"days", "the latest; 30 unless said", isNumber, nil}, consistent, pretty}, answer: typeOf[api.Stats](), serve: (*API).stats},
	{method: "GET", path: "/v1/busy", id: "busy", about: "what runs now, by start", scope: ScopeRead, params: []param{pretty}, answer: typeOf[[]api.Execution](), serve: (*API).busy},
	{method: "POST", path: "/v1/restore", id: "restoreJobs", about: "write the jobs of a file", scope: ScopeWrite, params: []param{key, issued}, body: bodyFile, answer: typeOf[string](), serve: (*API).restoreJobs},
	{method: "POST", path: "/v1/jobs:plan", id: "planJobs", about: "what applying a list of jobs would change", scope: ScopeRead, params: []param{prune, pretty}, body: bodyJobs, answer: typeOf[api.Plan](), serve: (*API).planJobs},
	{method: "POST", path: "/v1/jobs:apply", id: "applyJobs", about: "make the jobs what a list says", scope: ScopeWrite, params: []param{prune, {"dry_run", "the same as planning", isFlag, nil}, key, issued, pretty}, body: bodyJobs, answer: typeOf[api.Plan](), serve: (*API).applyJobs},

	{method: "GET", path: "/v1/jobs", id: "listJobs", about: "jobs", scope: ScopeRead, params: listOfJobs, answer: typeOf[[]api.Job](), serve: (*API).listJobs},
	{method: "POST", path: "/v1/jobs", id: "createJob", about: "create a job, or replace it", scope: ScopeWrite, params: []param{onCreate, ifMatch, key, issued, pretty}, body: bodyJob, status: 201, answer: typeOf[api.Job](), serve: (*API).putJob},
	{method: "PATCH", path: "/v1/jobs", id: "patchJob", about: "the same as POST", scope: ScopeWrite, params: []param{onCreate, ifMatch, key, issued, pretty}, body: bodyJob, status: 201, answer: typeOf[api.Job](), serve: (*API).putJob},
	{method: "GET", path: "/v1/jobs/{job}", id: "getJob", about: "a job", scope: ScopeRead, params: []param{consistent, pretty}, answer: typeOf[api.Job](), serve: (*API).getJob},
	{method: "PUT", path: "/v1/jobs/{job}", id: "replaceJob", about: "create a job, or replace it", scope: ScopeWrite, params: []param{onCreate, ifMatch, key, issued, pretty}, body: bodyJob, status: 201, answer: typeOf[api.Job](), serve: (*API).putJob},
	{method: "DELETE", path: "/v1/jobs/{job}", id: "deleteJob", about: "delete a job that no other needs", scope: ScopeWrite, params: []param{ifMatch, key, issued, pretty}, answer: typeOf[api.Job](), serve: (*API).deleteJob},
	{method: "POST", path: "/v1/jobs/{job}", id: "runJob", about: "run a job", scope: ScopeRun, params: []param{wait, key, issued, pretty}, answer: typeOf[api.Job](), serve: (*API).runJob},
	{method: "POST", path: "/v1/jobs/{job}/run", id: "runJobToo", about: "the same", scope: ScopeRun, params: []param{wait, key, issued, pretty}, answer: typeOf[api.Job](), serve: (*API).runJob},
	{method: "POST", path: "/v1/jobs/{job}/toggle", id: "toggleJob", about: "disable a job, or enable it again", scope: ScopeWrite, params: []param{ifMatch, key, issued, pretty}, answer: typeOf[api.Job](), serve: (*API).toggleJob},
	{method: "GET", path: "/v1/jobs/{job}/next", id: "nextOfJob", about: "the next due times", scope: ScopeRead, params: []param{{"count", "10 unless said, 1000 at most", isNumber, nil}, pretty}, answer: typeOf[[]api.Occurrence](), serve: (*API).nextOfJob},

	{method: "GET", path: "/v1/jobs/{job}/executions", id: "listExecutionsOfJob", about: "the executions of a job", scope: ScopeRead, params: listOfExecutions, answer: typeOf[[]api.Execution](), serve: (*API).listExecutions},
	{method: "DELETE", path: "/v1/jobs/{job}/executions", id: "clearHistory", about: "forget the closed executions of a job", scope: ScopeWrite, params: []param{key, issued, pretty}, answer: typeOf[api.Job](), serve: (*API).clearHistory},
	{method: "GET", path: "/v1/jobs/{job}/executions/{id}", id: "getExecution", about: "an execution", scope: ScopeRead, params: []param{sizeLimit, pretty}, answer: typeOf[api.Execution](), serve: (*API).getExecution},
	{method: "POST", path: "/v1/jobs/{job}/executions/{id}/cancel", id: "cancelExecution", about: "cancel an execution, on all its members", scope: ScopeRun, params: []param{key, issued, pretty}, answer: typeOf[api.Execution](), serve: (*API).cancelExecution},
	{method: "GET", path: "/v1/jobs/{job}/executions/{id}/output", id: "output", about: "what an attempt wrote; with follow as server-sent events", scope: ScopeRead, media: plainText, serve: (*API).output,
		params: []param{{"follow", "until it ends", isFlag, nil}, {"stream", "", isText, []string{"stdout", "stderr", "any"}}, {"attempt", "the latest unless said", isNumber, nil}, {"tail", "so many bytes of the end", isNumber, nil}, resume}},
	{method: "GET", path: "/v1/executions", id: "listExecutions", about: "the executions of all jobs", scope: ScopeRead, params: append([]param{{"job", "of this job alone", isText, nil}}, listOfExecutions...), answer: typeOf[[]api.Execution](), serve: (*API).listExecutions},
}
