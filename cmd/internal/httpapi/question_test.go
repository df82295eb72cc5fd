package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/cmd/internal/question"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// tell sends a question of package question to a member and reads the answer.
func (m *member) tell(r *orrerypb.Request, job string) *orrerypb.Response {
	m.t.Helper()
	q, err := question.Of(r, job)
	if err != nil {
		m.t.Fatal(err)
	}
	sent, err := http.NewRequest(q.Method, m.outer.URL+q.Path, strings.NewReader(string(q.Body)))
	if err != nil {
		m.t.Fatal(err)
	}
	sent.Header = q.Header
	answered, err := http.DefaultClient.Do(sent)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answered.Body.Close()
	body, err := io.ReadAll(answered.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	response, err := q.Answer(answered.StatusCode, answered.Header, body)
	if err != nil {
		m.t.Fatalf("%s %s: %v in %s", q.Method, q.Path, err, body)
	}
	return response
}

// What package question asks over the API brings about, and tells, what the same request
// does when the Gateway is asked itself.
func TestQuestionsAreAnsweredAsTheGatewayDoes(t *testing.T) {
	m := newWorld(t).a
	named := func(name string) *orrerypb.JobRequest { return &orrerypb.JobRequest{Name: name} }
	write := func(key string, r *orrerypb.Request) *orrerypb.Request {
		r.RequestId, r.IssuedNs = question.RequestID(key), time.Now().UnixNano()
		return r
	}
	put := func(name, command string) *orrerypb.Job {
		return wire.FromJob(orrery.Job{
			Name: name, Schedule: "@manually", Executor: "shell", ExecutorConfig: map[string]string{"command": command},
			Overlap: orrery.OverlapQueue, QueueLimit: 5, Retry: orrery.Retry{Max: 2, Backoff: orrery.Backoff{Initial: time.Second, Factor: 1500}},
			Notify: orrery.Notify{After: orrery.Webhook{URL: "http://receivers.test/" + name}},
		})
	}
	hang := put("hang", "hang")
	asked := write("1", &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: hang}}})
	first := m.tell(asked, "")
	same, err := m.Ask(t.Context(), asked) // the same request id: it is answered as before
	if err != nil || first.GetAnswer().GetVersion() != 1 || !first.GetAnswer().GetChanged() ||
		same.GetAnswer().GetIndex() != first.GetAnswer().GetIndex() || same.GetAnswer().GetVersion() != 1 {
		t.Fatalf("told %v, and by the Gateway %v, %v", first, same, err)
	}
	m.tell(write("2", &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: put("brief", "say "+strings.Repeat("x", 2*orrery.MaxOutputTail))}}}), "")

	refused := func(what string, want orrery.Code, r *orrerypb.Request) {
		t.Helper()
		if got := m.tell(write(what, r), "hang").GetAnswer(); got.GetCode() != string(want) || got.GetText() == "" {
			t.Errorf("%s: told %v, want %s", what, got, want)
		}
	}
	bad := put("bad", "x")
	bad.Schedule = "never"
	refused("a schedule that is none", orrery.Invalid, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: bad}}})
	refused("another version", orrery.Conflict, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: hang, CheckVersion: 7}}})
	refused("no such job", orrery.NotFound, &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "none"}}})
	refused("no such execution", orrery.NotFound, &orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: 99}}})
	child := put("child", "true")
	child.Schedule, child.Needs = "", []*orrerypb.Need{{Job: "hang"}}
	m.tell(write("3", &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: child}}}), "")
	refused("one that another needs", orrery.Conflict, &orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: named("hang")}})

	run := m.tell(write("4", &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "hang"}}}), "").GetAnswer()
	queued := m.tell(write("5", &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "hang"}}}), "").GetAnswer()
	if run.GetExecution() == 0 || queued.GetExecution() <= run.GetExecution() || !run.GetChanged() || run.GetIndex() == 0 {
		t.Fatalf("runs are told as %v and %v", run, queued)
	}
	m.tell(write("6", &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: "brief"}}}), "")
	list := func(list *orrerypb.ListExecutionsRequest) []*orrerypb.ExecutionRecord {
		t.Helper()
		return m.tell(&orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}}, "").GetExecutions()
	}
	open := func(job string, limit uint64) (ids []uint64) {
		t.Helper()
		for _, x := range list(&orrerypb.ListExecutionsRequest{Job: job, Open: true, Limit: limit}) {
			if x.GetJobName() != "hang" {
				t.Errorf("an execution of %s among the open ones of hang", x.GetJobName())
			}
			ids = append(ids, x.GetId())
		}
		return ids
	}
	eventually(t, "brief has ended", func() bool { return len(list(&orrerypb.ListExecutionsRequest{Job: "brief", Open: true})) == 0 })
	if ended := list(&orrerypb.ListExecutionsRequest{Job: "brief"}); len(ended) != 1 || orrery.State(ended[0].GetState()) != orrery.StateClosed {
		t.Errorf("of brief is told %v", ended)
	}
	eventually(t, "only hang is open", func() bool { return len(open("", 0)) == 2 })
	if all, newest := open("hang", 0), open("hang", 1); len(all) != 2 || all[0] != queued.GetExecution() || all[1] != run.GetExecution() || len(newest) != 1 || newest[0] != all[0] {
		t.Errorf("open are %d, the newest %d; want %d and %d", all, newest, queued.GetExecution(), run.GetExecution())
	}
	if cancelled := m.tell(write("7", &orrerypb.Request{Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: run.GetExecution()}}}), "hang"); !cancelled.GetAnswer().GetChanged() {
		t.Errorf("a cancel is told as %v", cancelled)
	}
	eventually(t, "the first is cancelled", func() bool { return len(open("hang", 0)) == 1 })

	m.tell(write("8", &orrerypb.Request{Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: "hang", Flip: true}}}), "")
	for _, r := range []*orrerypb.Request{
		{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "hang", Consistent: true}}},
		{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Limit: 2, Consistent: true}}},
		{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{}}},
		{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "none"}}},
	} {
		told := m.tell(proto.CloneOf(r), "")
		want, err := m.Ask(t.Context(), r)
		if err != nil || told.GetAnswer().GetCode() != want.GetAnswer().GetCode() || len(told.GetJobs()) != len(want.GetJobs()) || told.GetTotal() != want.GetTotal() && want.GetTotal() > 1 {
			t.Fatalf("told %v\nthe Gateway says %v, %v", told, want, err)
		}
		for i, view := range told.GetJobs() {
			if it := want.GetJobs()[i]; !proto.Equal(view.GetRecord().GetJob(), it.GetRecord().GetJob()) || view.GetRecord().GetVersion() != it.GetRecord().GetVersion() || view.GetState().GetDisabled() != it.GetState().GetDisabled() {
				t.Errorf("told %v\nthe Gateway says %v", view, it)
			}
		}
	}

	if told := m.tell(write("9", &orrerypb.Request{Body: &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: true}}}), ""); told.GetAnswer().GetIndex() == 0 {
		t.Errorf("a pause is told as %v", told)
	}
	refused("while paused", orrery.Unavailable, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: hang}}})
	m.tell(write("10", &orrerypb.Request{Body: &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{}}}), "")
	config := &orrerypb.SetClusterConfig{Config: wire.FromConfig(orrery.ClusterConfig{LostAfter: 13 * time.Second}.WithDefaults())}
	m.tell(write("11", &orrerypb.Request{Body: &orrerypb.Request_Config{Config: config}}), "")
	status, err := m.Ask(t.Context(), &orrerypb.Request{Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{Consistent: true}}})
	if err != nil || status.GetPaused() || wire.ToConfig(status.GetConfig()).LostAfter != 13*time.Second {
		t.Errorf("the settings are %v, %v", status, err)
	}
	m.tell(write("12", &orrerypb.Request{Body: &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: "brief"}}}), "")
	deleted := m.tell(write("13", &orrerypb.Request{Body: &orrerypb.Request_DeleteJob{DeleteJob: named("child")}}), "").GetAnswer()
	if !deleted.GetChanged() || deleted.GetVersion() != 1 || deleted.GetIndex() == 0 {
		t.Errorf("a delete is told as %v", deleted)
	}
}
