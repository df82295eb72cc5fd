package sim

import (
	"fmt"
	"slices"
	"time"

	"orrery"
	"orrery/netsim"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim/scenario"
)

// setupPatience is how long the one who sets the cluster up goes on trying: any election
// of a cluster that works is over by then.
const setupPatience = 2 * time.Minute

// addClients makes the clients of the scenario: one who writes its jobs, one who does its
// steps, and those who do as they like.
func (w *World) addClients() {
	for _, group := range w.scenario.Clients {
		for range group.N {
			v := &visitor{client: w.newClient(fmt.Sprintf("c%d", len(w.clients)+1), group.Timeout), group: group}
			v.pool = []string{v.client.name + "-a", v.client.name + "-b"}
			for _, name := range v.pool {
				w.jobs.defs[name] = poolJob
			}
			w.after(v.pause(), v.visit)
		}
	}
	w.setUp()
}

// poolJob is what the processes of the jobs that visitors make do.
var poolJob = scenario.Job{Takes: scenario.Range{Lo: 100 * time.Millisecond, Hi: 3 * time.Second}, Fails: 50_000, Output: 40}

// setUp writes the settings of the cluster and the jobs of the scenario, parents first.
func (w *World) setUp() {
	c := w.newClient("setup", 2*time.Second)
	requests := []*orrerypb.Request{{Body: &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: wire.FromConfig(w.history.Config)}}}}
	for _, name := range w.jobs.names {
		requests = append(requests, putRequest(w.jobs.word(name, w.jobs.defs[name])))
	}
	var next func(*orrerypb.Response)
	next = func(*orrerypb.Response) {
		if len(requests) > 0 {
			r := requests[0]
			requests = requests[1:]
			c.ask(r, setupPatience, next)
		}
	}
	next(nil)
}

func putRequest(j orrery.Job) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: wire.FromJob(j)}}}
}

// takeStep asks what a step of the scenario says. done hears the answer, nil when the
// client gave up; it may be nil.
func (w *World) takeStep(c *client, s scenario.Step, done func(*orrerypb.Response)) {
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
		w.jobs.defs[s.Job] = s.Put
		r = putRequest(w.jobs.word(s.Job, s.Put))
	case scenario.StepCancel:
		c.cancel(s.Job, done)
		return
	case scenario.StepPauseScheduler, scenario.StepResumeScheduler:
		r.Body = &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: s.Verb == scenario.StepPauseScheduler}}
	default:
		panic("sim: no such step: " + string(s.Verb))
	}
	c.ask(r, setupPatience, done)
}

// cancel asks for the open executions of a job and cancels the newest. done, unless it is
// nil, hears the last answer.
func (c *client) cancel(job string, done func(*orrerypb.Response)) {
	list := &orrerypb.ListExecutionsRequest{Job: job, Open: true, Limit: 1}
	c.ask(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}}, 0, func(r *orrerypb.Response) {
		if r != nil && len(r.GetExecutions()) > 0 {
			c.ask(&orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: r.GetExecutions()[0].GetId()}}}, 0, done)
		} else if done != nil {
			done(r)
		}
	})
}

// visitor is a client that does as it likes, one request at a time.
type visitor struct {
	client *client
	group  scenario.Clients
	pool   []string // jobs of its own, which it makes, changes and deletes
}

// pause is the time to its next request: on average what the rate says, since its own
// requests take no time to think up.
func (v *visitor) pause() time.Duration {
	mean := v.group.Rate.Per / time.Duration(v.group.Rate.Count)
	return netsim.Between(v.client.chance, mean/2, mean*3/2)
}

func (v *visitor) visit() {
	w := v.client.world
	if w.nemesis.over {
		return
	}
	next := func(*orrerypb.Response) { w.after(v.pause(), v.visit) }
	op := v.group.Ops[v.below(len(v.group.Ops))]
	if op == scenario.OpCancel {
		v.client.cancel(v.anyJob(), nil)
		next(nil)
		return
	}
	v.client.ask(v.request(op), 0, next)
}

// request makes up a request. What could spoil the scenario's own jobs is asked of the
// visitor's.
func (v *visitor) request(op scenario.Op) *orrerypb.Request {
	own := v.pool[v.below(len(v.pool))]
	r := &orrerypb.Request{}
	switch op {
	case scenario.OpPut, scenario.OpEdit:
		r = putRequest(v.newJob(own))
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
	case scenario.OpPause:
		r.Body = &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: v.below(2) == 0}}
	default:
		panic("sim: no such request: " + string(op))
	}
	return r
}

func (v *visitor) newJob(name string) orrery.Job {
	every := []string{"@every 3s", "@every 7s", "*/5 * * * * *", "0 * * * * *", "@manually"}
	return orrery.Job{
		Name: name, Schedule: every[v.below(len(every))], Executor: "shell",
		ExecutorConfig: map[string]string{"command": name},
		Overlap:        orrery.Overlap(v.below(4)),
		Retry:          orrery.Retry{Max: v.below(3), Backoff: orrery.Backoff{Initial: time.Second}},
		Notify:         orrery.Notify{After: orrery.Webhook{URL: "http://receivers.test/" + name}},
	}
}

func (v *visitor) anyJob() string {
	names := slices.Concat(v.client.world.jobs.names, v.pool)
	return names[v.below(len(names))]
}

func (v *visitor) below(n int) int { return int(netsim.Below(v.client.chance, uint64(n))) }
