//go:build linux

package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/cmd/internal/question"
	"orrery/netsim"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// client is somebody who asks members over HTTP and believes only the answer. It asks
// again, another member and with the same key, while it does not know what came of it.
type client struct {
	world   *world
	name    string
	chance  *rand.Rand
	timeout time.Duration
	asked   int
	of      string // the job whose execution it cancels
}

// maxTries is how often a client asks before it gives up, unless it has more patience.
const maxTries = 4

func (w *world) newClient(name string, timeout time.Duration) *client {
	return &client{world: w, name: name, chance: netsim.Stream(w.seed, "client/"+name), timeout: timeout}
}

// ask sends a request until there is an answer that says what came of it, or until the
// client has lost patience; nil: it was told nothing.
func (c *client) ask(r *orrerypb.Request, patience time.Duration) *orrerypb.Response {
	w := c.world
	c.asked++
	r.RequestId, r.IssuedNs = question.RequestID(fmt.Sprintf("%s-%d", c.name, c.asked)), time.Now().UnixNano()
	q, err := question.Of(r, c.of)
	if err != nil {
		panic("engine: " + err.Error())
	}
	h := &promise.Request{Client: c.name, Request: r, Sent: w.now(), Answered: -1}
	for until := w.now() + patience; ; {
		m := w.some(c.chance)
		h.Tries, h.Member = h.Tries+1, m.Name
		response, err := c.try(m, q)
		code := orrery.Code(response.GetAnswer().GetCode())
		if err != nil || code == orrery.Unknown {
			h.Doubtful = true
		}
		if err == nil && code != orrery.Unknown && code != orrery.Unavailable || h.Tries >= maxTries && w.now() >= until || w.isOver() && patience == 0 {
			if h.Response = response; err == nil {
				h.Answered = w.now()
			}
			break
		}
		if !w.sleep(netsim.Between(c.chance, 50*time.Millisecond, 500*time.Millisecond)) {
			break
		}
	}
	w.edit(func(all *promise.History) { all.Requests = append(all.Requests, *h) })
	return h.Response
}

// try asks one member once. The error says that nothing is known of what came of it.
func (c *client) try(m *live.Member, q question.Question) (*orrerypb.Response, error) {
	ctx, cancel := context.WithTimeout(c.world.ctx, c.timeout)
	defer cancel()
	status, header, body, err := m.Exchange(ctx, q.Method, q.Path, q.Header, q.Body)
	if err != nil {
		return nil, err
	}
	return q.Answer(status, header, body)
}

// setUp writes the settings of the cluster and the jobs of the scenario, parents first.
func (w *world) setUp() {
	const patience = 2 * time.Minute
	c := w.newClient("setup", 2*time.Second)
	c.ask(&orrerypb.Request{Body: &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: wire.FromConfig(sim.ClusterConfig(w.scenario))}}}, patience)
	for _, j := range sim.Jobs(w.scenario) {
		c.ask(put(w.word(j)), patience)
	}
}

func put(j orrery.Job) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: wire.FromJob(j)}}}
}

// step asks what a step of the scenario says.
func (c *client) step(s scenario.Step) {
	const patience = 2 * time.Minute
	c.world.say("  %s %s", s.Verb, s.Job)
	r := &orrerypb.Request{}
	switch s.Verb {
	case scenario.StepRun:
		r.Body = &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: s.Job}}
	case scenario.StepToggle:
		r.Body = &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: s.Job, Flip: true}}
	case scenario.StepClear:
		r.Body = &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: s.Job}}
	case scenario.StepDelete:
		r.Body = &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: s.Job}}
	case scenario.StepPut:
		j := s.Put
		j.Name = s.Job
		r = put(c.world.word(j))
	case scenario.StepCancel:
		c.cancel(s.Job)
		return
	default:
		r.Body = &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: s.Verb == scenario.StepPauseScheduler}}
	}
	c.ask(r, patience)
}

// cancel cancels the newest execution of a job that runs.
func (c *client) cancel(job string) {
	ctx, cancel := context.WithTimeout(c.world.ctx, c.timeout)
	defer cancel()
	var busy []api.Execution
	if c.world.some(c.chance).Call(ctx, "GET", "/v1/busy", nil, &busy) != nil {
		return // there will be other times
	}
	busy = slices.DeleteFunc(busy, func(x api.Execution) bool { return x.JobName != job })
	if len(busy) > 0 {
		newest := slices.MaxFunc(busy, func(a, b api.Execution) int { return int(a.Group - b.Group) })
		c.of = job
		c.ask(&orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: uint64(newest.Group)}}}, 0)
	}
}

// visitor is a client that does as it likes, one request at a time.
type visitor struct {
	*client
	group scenario.Clients
	pool  []string // jobs of its own, which it makes, changes and deletes
}

// poolJob is what the processes of the jobs that visitors make do.
var poolJob = scenario.Job{Takes: scenario.Range{Lo: 100 * time.Millisecond, Hi: 3 * time.Second}, Fails: 50_000, Output: 40}

func (w *world) visitors() (all []*visitor) {
	for _, group := range w.scenario.Clients {
		for range group.N {
			c := w.newClient(fmt.Sprintf("c%d", len(all)+1), group.Timeout)
			all = append(all, &visitor{c, group, []string{c.name + "-a", c.name + "-b"}})
		}
	}
	return all
}

// visit asks for one thing after the other until the last fault is over.
func (v *visitor) visit() {
	mean := v.group.Rate.Per / time.Duration(v.group.Rate.Count)
	for v.world.sleep(netsim.Between(v.chance, mean/2, mean*3/2)) && !v.world.isOver() {
		switch op := v.group.Ops[v.below(len(v.group.Ops))]; op {
		case scenario.OpCancel:
			v.cancel(v.anyJob())
		default:
			v.ask(v.request(op), 0)
		}
	}
}

// request makes up a request. What could spoil the scenario's own jobs is asked of the
// visitor's.
func (v *visitor) request(op scenario.Op) *orrerypb.Request {
	own := v.pool[v.below(len(v.pool))]
	r := &orrerypb.Request{}
	switch op {
	case scenario.OpPut, scenario.OpEdit:
		return put(v.newJob(own))
	case scenario.OpGet:
		r.Body = &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: v.anyJob(), Consistent: v.below(2) == 0}}
	case scenario.OpRun:
		r.Body = &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: v.anyJob()}}
	case scenario.OpToggle:
		r.Body = &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: own, Flip: true}}
	case scenario.OpDelete:
		r.Body = &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: own}}
	case scenario.OpList:
		r.Body = &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Limit: 10, Consistent: v.below(2) == 0}}
	case scenario.OpClear:
		r.Body = &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: v.anyJob()}}
	default:
		r.Body = &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: v.below(2) == 0}}
	}
	return r
}

func (v *visitor) newJob(name string) orrery.Job {
	every := []string{"@every 3s", "@every 7s", "*/5 * * * * *", "0 * * * * *", "@manually"}
	does := poolJob
	does.Name = name
	return orrery.Job{
		Name: name, Schedule: every[v.below(len(every))], Executor: "shell",
		ExecutorConfig: map[string]string{"command": v.world.command(does)},
		Overlap:        orrery.Overlap(v.below(4)),
		Retry:          orrery.Retry{Max: v.below(3), Backoff: orrery.Backoff{Initial: time.Second}},
	}
}

func (v *visitor) anyJob() string {
	names := slices.Concat(v.world.names, v.pool)
	return names[v.below(len(names))]
}

func (v *visitor) below(n int) int { return int(netsim.Below(v.chance, uint64(n))) }
