package promise

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

// said is a history of requests alone: what clients asked of the job x and were told, each
// from a second to another.
type said struct{ m *model }

// ask files a request of a client; to < 0: it never heard anything.
func (s said) ask(client string, from, to int, body *orrerypb.Request, response *orrerypb.Response) *Request {
	body.RequestId = fmt.Sprint(client, "-", len(s.m.Requests))
	s.m.Requests = append(s.m.Requests, Request{
		Client: client, Request: body, Sent: time.Duration(from) * time.Second, Answered: time.Duration(to) * time.Second, Tries: 1, Response: response,
	})
	return &s.m.Requests[len(s.m.Requests)-1]
}

func jobX(disabled bool, schedule string) *orrerypb.Job {
	return &orrerypb.Job{Name: "x", Schedule: schedule, Disabled: disabled}
}

func put(schedule string, check uint64) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: jobX(false, schedule), CheckVersion: check}}}
}

func flip() *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: "x", Flip: true}}}
}

func enable(on bool) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: "x", Enabled: on}}}
}

func remove() *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: "x"}}}
}

func get(consistent bool) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "x", Consistent: consistent}}}
}

func listAll() *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Consistent: true}}}
}

func done(uid, version uint64) *orrerypb.Response {
	return &orrerypb.Response{Answer: &orrerypb.Answer{Uid: uid, Version: version, Changed: true}}
}

func coded(code orrery.Code) *orrerypb.Response {
	return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(code)}}
}

func shows(uid, version uint64, job *orrerypb.Job) *orrerypb.Response {
	view := &orrerypb.JobView{
		Record: &orrerypb.JobRecord{Uid: uid, Version: version, Job: job},
		State:  &orrerypb.JobState{Uid: uid, Version: version, Disabled: job.GetDisabled()},
	}
	return &orrerypb.Response{Answer: &orrerypb.Answer{}, Jobs: []*orrerypb.JobView{view}, Total: 1}
}

func TestJobsLinearizable(t *testing.T) {
	tell := func(f func(s said)) func(*model) { return func(m *model) { f(said{m}) } }
	written := func(f func(s said)) func(*model) {
		return tell(func(s said) {
			s.ask("a", 0, 1, put("@hourly", 0), done(1, 1))
			f(s)
		})
	}
	judgeStories(t, "jobs-linearizable", map[string]story{
		"one after the other": {tell: written(func(s said) {
			s.ask("a", 2, 3, get(true), shows(1, 1, jobX(false, "@hourly")))
			s.ask("b", 4, 5, put("@daily", 1), done(1, 2))
			s.ask("a", 6, 7, flip(), done(1, 3))
			s.ask("b", 8, 9, get(true), shows(1, 3, jobX(true, "@daily")))
			s.ask("b", 8, 9, enable(false), &orrerypb.Response{Answer: &orrerypb.Answer{Uid: 1, Version: 3}})
			s.ask("a", 10, 11, remove(), done(1, 3))
			s.ask("b", 12, 13, get(true), coded(orrery.NotFound))
			s.ask("b", 14, 15, put("@daily", 0), done(2, 1))
		}), judged: 9},
		"at once, in either order": {tell: written(func(s said) {
			s.ask("a", 2, 9, put("@daily", 0), done(1, 3))
			s.ask("b", 3, 8, put("@weekly", 0), done(1, 2))
			s.ask("c", 4, 5, get(true), shows(1, 1, jobX(false, "@hourly")))
			s.ask("c", 10, 11, get(true), shows(1, 3, jobX(false, "@daily")))
		}), judged: 5},
		"a stale read": {tell: written(func(s said) {
			s.ask("a", 2, 3, put("@daily", 0), done(1, 2))
			s.ask("b", 4, 5, get(true), shows(1, 1, jobX(false, "@hourly")))
		}), breach: "b was told at 00:00:05 of x: version 1; sent at 00:00:04, it fits no order of what was asked and told before (the answer before went to a at 00:00:03: put: version 2)"},
		"a stale read of one that did not ask": {tell: written(func(s said) {
			s.ask("a", 2, 3, put("@daily", 0), done(1, 2))
			s.ask("b", 4, 5, get(false), shows(1, 1, jobX(false, "@hourly")))
		}), judged: 2},
		"a read of another content": {tell: written(func(s said) {
			s.ask("b", 4, 5, get(true), shows(1, 1, jobX(false, "@daily")))
		}), breach: "b was told at 00:00:05 of x: version 1; sent"},
		"a read of another state": {tell: written(func(s said) {
			s.ask("b", 4, 5, get(true), shows(1, 1, jobX(true, "@hourly")))
		}), breach: "b was told at 00:00:05 of x: version 1, disabled; sent"},
		"a lost update": {tell: written(func(s said) {
			s.ask("a", 2, 3, put("@daily", 0), done(1, 2))
			s.ask("b", 2, 4, put("@weekly", 0), done(1, 2))
		}), breach: "b was told at 00:00:04 of x: put: version 2"},
		"a version that was checked and was another": {tell: written(func(s said) {
			s.ask("b", 2, 4, put("@weekly", 7), done(1, 2))
		}), breach: "b was told at 00:00:04 of x: put of version 7: version 2"},
		"a conflict": {tell: written(func(s said) {
			s.ask("b", 2, 4, put("@weekly", 7), coded(orrery.Conflict))
			s.ask("c", 5, 6, get(true), shows(1, 1, jobX(false, "@hourly")))
		}), judged: 3},
		"what is unknown may have happened": {tell: written(func(s said) {
			s.ask("b", 2, 4, put("@weekly", 0), coded(orrery.Unknown))
			s.ask("c", 5, 6, get(true), shows(1, 1, jobX(false, "@hourly")))
			s.ask("c", 7, 8, get(true), shows(1, 2, jobX(false, "@weekly")))
		}), judged: 4},
		"once": {tell: written(func(s said) {
			s.ask("b", 2, 4, flip(), coded(orrery.Unknown))
			s.ask("c", 5, 6, get(true), shows(1, 2, jobX(true, "@hourly")))
			s.ask("c", 7, 8, get(true), shows(1, 3, jobX(false, "@hourly")))
		}), breach: "c was told at 00:00:08 of x: version 3"},
		"not before it was asked": {tell: written(func(s said) {
			s.ask("c", 2, 3, get(true), shows(1, 2, jobX(false, "@weekly")))
			s.ask("b", 4, -1, put("@weekly", 0), nil)
		}), breach: "c was told at 00:00:03 of x: version 2"},
		"what was never answered may have happened": {tell: written(func(s said) {
			s.ask("b", 4, -1, remove(), nil)
			s.ask("c", 5, 6, get(true), coded(orrery.NotFound))
		}), judged: 3},
		"what is unavailable did not happen": {tell: written(func(s said) {
			s.ask("b", 2, 4, put("@weekly", 0), coded(orrery.Unavailable))
			s.ask("c", 7, 8, get(true), shows(1, 2, jobX(false, "@weekly")))
		}), breach: "c was told at 00:00:08 of x: version 2"},
		"unless it was tried before": {tell: written(func(s said) {
			s.ask("b", 2, 4, put("@weekly", 0), coded(orrery.Unavailable)).Tries = 2
			s.ask("c", 7, 8, get(true), shows(1, 2, jobX(false, "@weekly")))
		}), judged: 3},
		"gone, and it is there": {tell: written(func(s said) {
			s.ask("c", 7, 8, get(true), coded(orrery.NotFound))
		}), breach: "c was told at 00:00:08 of x: not_found"},
		"a list without it": {tell: written(func(s said) {
			s.ask("c", 7, 8, listAll(), &orrerypb.Response{Answer: &orrerypb.Answer{}})
		}), breach: "c was told at 00:00:08 of x: not_found"},
		"a list with it": {tell: written(func(s said) {
			s.ask("c", 7, 8, listAll(), shows(1, 1, jobX(false, "@hourly")))
		}), judged: 2},
		"a page that it is not on": {tell: written(func(s said) {
			other := &orrerypb.Job{Name: "a"}
			page := shows(7, 1, other)
			page.Total = 2
			s.ask("c", 5, 6, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: other}}}, done(7, 1))
			s.ask("c", 7, 8, listAll(), page)
		}), judged: 3},
		"a job that ends of itself": {tell: tell(func(s said) {
			s.ask("a", 0, 1, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: &orrerypb.Job{Name: "x", Ephemeral: true}}}}, done(1, 1))
			s.ask("c", 7, 8, get(true), coded(orrery.NotFound))
			s.ask("a", 9, 10, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: &orrerypb.Job{Name: "y"}}}}, done(2, 1))
		}), judged: 1},
		"another job is not to be judged": {tell: written(func(s said) {
			s.ask("c", 7, 8, get(true), coded(orrery.NotFound))
			s.ask("a", 9, 10, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: &orrerypb.Job{Name: "y"}}}}, done(2, 1))
		}), params: Params{Jobs: []string{"y"}}, judged: 1},
		"what the model's clients do": {tell: func(m *model) {
			m.put(backup)
			m.toggle("backup", false)
			m.toggle("backup", false)
			m.until(20 * time.Second)
			m.toggle("backup", true)
			m.drop("backup")
			m.drop("backup")
			m.put(backup)
		}, judged: 7},
	})
}

// TestTooManyOrders sees to it that a question that cannot be decided is given up, at the
// same step each time, and that this is no breach.
func TestTooManyOrders(t *testing.T) {
	m := newModel(t)
	s := said{m}
	s.ask("a", 0, 1, put("@hourly", 0), done(1, 1))
	for n := range 40 {
		s.ask(fmt.Sprint("c", n), 2, -1, put(fmt.Sprintf("@every %ds", n+1), 0), nil)
	}
	s.ask("a", 50, 51, get(true), shows(1, 60, jobX(false, "@hourly")))
	v := m.judge("jobs-linearizable", Params{})
	if !v.Kept() || v.Judged != 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "x (42 requests) has too many orders") {
		t.Errorf("%+v", v)
	}
}

// TestAnyOrderIsFound has clients talk to a register at random, each request taking
// effect at a moment between its being sent and answered, and some answers lost: whatever
// they were told, there is an order. With one answer changed there mostly is none.
func TestAnyOrderIsFound(t *testing.T) {
	changed, noticed := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t)
		chat(m, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)), rapid.IntRange(5, 60).Draw(rt, "requests"))
		v := m.judge("jobs-linearizable", Params{})
		if !v.Kept() || v.Judged == 0 {
			rt.Fatalf("%+v", v)
		}
		var answers []*orrerypb.Answer // of what changed something
		for _, r := range m.Requests {
			if a := r.Response.GetAnswer(); a.GetChanged() {
				answers = append(answers, a)
			}
		}
		if len(answers) > 0 {
			changed++
			rapid.SampledFrom(answers).Draw(rt, "spoiled").Version++
			if again := m.judge("jobs-linearizable", Params{}); !again.Kept() {
				noticed++
			}
		}
	})
	if noticed == 0 || 4*noticed < changed {
		t.Errorf("of %d changed answers only %d were noticed", changed, noticed)
	}
}

// chat has four clients ask for things of the job x.
func chat(m *model, chance *rand.Rand, n int) {
	type moment struct{ sent, done, told int }
	at := make([]moment, n)
	free := [4]int{}
	for i := range at {
		c := i % 4
		sent := free[c] + chance.IntN(5)
		at[i] = moment{sent, sent + chance.IntN(10), 0}
		at[i].told = at[i].done + chance.IntN(10)
		free[c] = at[i].told + 1
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a].done, at[b].done) })
	s := said{m}
	uid, state := uint64(0), register{}
	jobs := map[int]*orrerypb.Job{}
	for _, i := range order {
		request, response := put(fmt.Sprintf("@every %ds", i+1), 0), coded(orrery.NotFound)
		switch kind := chance.IntN(6); {
		case kind < 2:
			if !state.exists {
				uid++
				state = register{exists: true, uid: uid}
			}
			state.version, state.disabled, state.definition = state.version+1, false, i
			jobs[i] = request.GetPutJob().GetJob()
			response = done(state.uid, state.version)
		case kind == 2:
			if request = flip(); state.exists {
				state.version, state.disabled = state.version+1, !state.disabled
				response = done(state.uid, state.version)
			}
		case kind == 3:
			if request = remove(); state.exists {
				response, state = done(state.uid, state.version), register{}
			}
		default:
			if request = get(true); state.exists {
				response = shows(state.uid, state.version, jobX(state.disabled, jobs[state.definition].GetSchedule()))
			}
		}
		r := s.ask(fmt.Sprint("c", i%4), at[i].sent, at[i].told, request, response)
		switch chance.IntN(12) {
		case 0:
			r.Answered, r.Response = -1, nil
		case 1:
			r.Response = coded(orrery.Unknown)
		}
	}
}
