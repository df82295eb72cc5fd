package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
)

// JobQuery chooses jobs; the zero value all of them.
type JobQuery struct {
	Text     string            // in the name or the display name
	Status   string            // success, failed or untriggered
	Disabled string            // true or false
	Metadata map[string]string // all must match
	Sort     string
	Desc     bool
}

func (q JobQuery) values() url.Values {
	v := url.Values{}
	set(v, "q", q.Text)
	set(v, "status", q.Status)
	set(v, "disabled", q.Disabled)
	set(v, "_sort", q.Sort)
	if q.Desc {
		v.Set("_order", "DESC")
	}
	for key, value := range q.Metadata {
		v.Set("metadata["+key+"]", value)
	}
	return v
}

func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// Jobs lists the jobs of a query.
func (c *Client) Jobs(ctx context.Context, q JobQuery) (jobs []api.Job, err error) {
	return jobs, c.get(ctx, "/v1/jobs", q.values(), &jobs)
}

// Job reads one job.
func (c *Client) Job(ctx context.Context, name string) (job api.Job, err error) {
	return job, c.get(ctx, jobPath(name), nil, &job)
}

func jobPath(name string, below ...string) string {
	p := "/v1/jobs/" + url.PathEscape(name)
	for _, part := range below {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// DeleteJob deletes a job and returns what it was.
func (c *Client) DeleteJob(ctx context.Context, name string) (job api.Job, err error) {
	_, err = c.ask(ctx, call{method: http.MethodDelete, path: jobPath(name)}, nil, &job)
	return job, err
}

// Toggle disables a job that is enabled, and the reverse.
func (c *Client) Toggle(ctx context.Context, name string) (job api.Job, err error) {
	_, err = c.ask(ctx, call{method: http.MethodPost, path: jobPath(name, "toggle")}, nil, &job)
	return job, err
}

// Run starts an execution and returns its id.
func (c *Client) Run(ctx context.Context, name string) (execution string, err error) {
	header, err := c.ask(ctx, call{method: http.MethodPost, path: jobPath(name, "run")}, nil, nil)
	if err != nil {
		return "", err
	}
	if execution = header.Get("X-Orrery-Execution"); execution == "" {
		return "", orrery.Errorf(orrery.Internal, "run %s: the answer of %s does not tell the execution: is it an agent of Orrery?", name, c.base)
	}
	return execution, nil
}

// Next lists the next due times of a job.
func (c *Client) Next(ctx context.Context, name string, count int) (due []api.Occurrence, err error) {
	return due, c.get(ctx, jobPath(name, "next"), url.Values{"count": {strconv.Itoa(count)}}, &due)
}

// Plan says what a declaration would change.
func (c *Client) Plan(ctx context.Context, d api.Declaration) (plan api.Plan, err error) {
	_, err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/jobs:plan"}, d, &plan)
	return plan, err
}

// Apply changes what a declaration asks for.
func (c *Client) Apply(ctx context.Context, d api.Declaration) (plan api.Plan, err error) {
	_, err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/jobs:apply"}, d, &plan)
	return plan, err
}

// ExecutionQuery chooses executions; the zero value the newest of all jobs.
type ExecutionQuery struct {
	Job      string
	State    string
	From, To time.Time // created not before, and before
	Limit    int       // 0: all
}

// Executions lists executions, newest first.
func (c *Client) Executions(ctx context.Context, q ExecutionQuery) (found []api.Execution, err error) {
	v := url.Values{}
	set(v, "state", q.State)
	if !q.From.IsZero() {
		v.Set("from", q.From.UTC().Format(time.RFC3339Nano))
	}
	if !q.To.IsZero() {
		v.Set("to", q.To.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		v.Set("_start", "0")
		v.Set("_end", strconv.Itoa(q.Limit))
	}
	path := "/v1/executions"
	if q.Job != "" {
		path = jobPath(q.Job, "executions")
	}
	return found, c.get(ctx, path, v, &found)
}

// Execution reads one execution.
func (c *Client) Execution(ctx context.Context, job, id string) (x api.Execution, err error) {
	return x, c.get(ctx, jobPath(job, "executions", id), nil, &x)
}

// Cancel bars an execution from further attempts and ends the one that runs.
func (c *Client) Cancel(ctx context.Context, job, id string) error {
	_, err := c.ask(ctx, call{method: http.MethodPost, path: jobPath(job, "executions", id, "cancel")}, nil, nil)
	return err
}

// Output copies all that an execution has written so far.
func (c *Client) Output(ctx context.Context, job, id string, to io.Writer) error {
	answer, err := c.send(ctx, call{
		method: http.MethodGet, path: jobPath(job, "executions", id, "output"),
		header: http.Header{"Accept": {"text/plain, application/problem+json"}},
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return copyAll(to, answer.Body)
}

func copyAll(to io.Writer, from io.Reader) error {
	if _, err := io.Copy(to, from); err != nil {
		return orrery.Errorf(orrery.Unavailable, "read the answer: %v", err)
	}
	return nil
}

// Members lists the members as the asked one knows them.
func (c *Client) Members(ctx context.Context) (members []api.Member, err error) {
	return members, c.get(ctx, "/v1/members", nil, &members)
}

// RemoveMember tells the cluster that a failed member will not come back.
func (c *Client) RemoveMember(ctx context.Context, name string) error {
	_, err := c.ask(ctx, call{method: http.MethodDelete, path: "/v1/members/" + url.PathEscape(name)}, nil, nil)
	return err
}

// Leave makes the asked member leave the cluster, for good.
func (c *Client) Leave(ctx context.Context) error {
	_, err := c.ask(ctx, call{method: http.MethodPost, path: "/v1/leave", once: true}, nil, nil)
	return err
}

// Peers lists the servers of the log.
func (c *Client) Peers(ctx context.Context) (peers []api.Peer, err error) {
	return peers, c.get(ctx, "/v1/raft/peers", nil, &peers)
}

// RemovePeer takes a server from the log.
func (c *Client) RemovePeer(ctx context.Context, id string) error {
	_, err := c.ask(ctx, call{method: http.MethodDelete, path: "/v1/raft/peers/" + url.PathEscape(id)}, nil, nil)
	return err
}

// TransferLeader makes the leader hand over.
func (c *Client) TransferLeader(ctx context.Context) error {
	_, err := c.ask(ctx, call{method: http.MethodPost, path: "/v1/raft/transfer-leader", once: true}, nil, nil)
	return err
}

// Snapshot copies a snapshot of the cluster's state as it is now.
func (c *Client) Snapshot(ctx context.Context, to io.Writer) error {
	answer, err := c.send(ctx, call{
		method: http.MethodGet, path: "/v1/snapshot",
		header: http.Header{"Accept": {"application/octet-stream, application/problem+json"}},
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return copyAll(to, answer.Body)
}

// RestoreSnapshot replaces the cluster's state.
func (c *Client) RestoreSnapshot(ctx context.Context, from io.Reader) error {
	answer, err := c.send(ctx, call{
		method: http.MethodPost, path: "/v1/snapshot", stream: from, once: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
	})
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Ready reports whether the asked member serves; the error says why not.
func (c *Client) Ready(ctx context.Context) (health api.Health, err error) {
	_, err = c.ask(ctx, call{method: http.MethodGet, path: "/health", once: true}, nil, &health)
	if err != nil {
		return health, fmt.Errorf("health: %w", err)
	}
	return health, nil
}
