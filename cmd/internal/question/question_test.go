package question_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/question"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/scenario"
)

func of(t *testing.T, r *orrerypb.Request, job string) question.Question {
	t.Helper()
	q, err := question.Of(r, job)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var get = &orrerypb.Request{Body: &orrerypb.Request_GetJob{GetJob: &orrerypb.GetJobRequest{Name: "x", Consistent: true}}}

// Each job of each scenario is read by the API, and by who reads it afterwards, as it was put.
func TestJobsAreReadAsTheyWerePut(t *testing.T) {
	jobs := 0
	err := fs.WalkDir(os.DirFS("../../../scenarios"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".scenario") {
			return err
		}
		text, err := os.ReadFile("../../../scenarios/" + path)
		if err != nil {
			return err
		}
		s, err := scenario.Parse(path, text)
		if err != nil {
			return err
		}
		for _, defined := range sim.Jobs(s) {
			j := sim.Word(s, defined)
			j.Disabled = jobs%2 == 0
			put := wire.FromJob(j)
			q := of(t, &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: put}}}, "")
			var asked api.Job
			if unknown, err := api.Decode(q.Body, &asked); err != nil || len(unknown) > 0 {
				t.Fatalf("%s: %v, unknown %q in %s", path, err, unknown, q.Body)
			}
			words, err := asked.Words(orrery.ClusterConfig{})
			if err != nil || !proto.Equal(wire.FromJob(words), put) {
				t.Fatalf("%s: put\n%v\nthe API reads\n%v, %v", path, put, wire.FromJob(words), err)
			}
			shown, err := json.Marshal(api.FromView(&orrerypb.JobView{
				Record: &orrerypb.JobRecord{Job: put}, State: &orrerypb.JobState{Name: j.Name, Version: 3, Disabled: j.Disabled},
			}))
			if err != nil {
				return err
			}
			told, err := of(t, get, "").Answer(http.StatusOK, http.Header{}, shown)
			if err != nil || len(told.GetJobs()) != 1 || !proto.Equal(told.GetJobs()[0].GetRecord().GetJob(), put) || told.GetJobs()[0].GetRecord().GetVersion() != 3 {
				t.Fatalf("%s: put\n%v\na client reads\n%v, %v", path, put, told, err)
			}
			jobs++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if jobs < 50 {
		t.Errorf("only %d jobs were read: this test no longer sees the scenarios", jobs)
	}
}

func TestWhatTheAPICannotSayIsRefused(t *testing.T) {
	job := &orrerypb.Job{Name: "x"}
	for name, r := range map[string]*orrerypb.Request{
		"nothing":           {},
		"a status":          {Body: &orrerypb.Request_Status{Status: &orrerypb.StatusRequest{}}},
		"a run if new":      {Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: job, RunOnCreate: true}}},
		"a toggle that set": {Body: &orrerypb.Request_Toggle{Toggle: &orrerypb.ToggleRequest{Name: "x", Enabled: true}}},
		"a nameless cancel": {Body: &orrerypb.Request_Cancel{Cancel: &orrerypb.CancelRequest{Execution: 1}}},
		"a sorted list":     {Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{Sort: "next"}}},
		"ended executions":  {Body: &orrerypb.Request_ListExecutions{ListExecutions: &orrerypb.ListExecutionsRequest{Outcome: 2}}},
		"an id of its own":  {RequestId: "c1-7", Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: "x"}}},
	} {
		if q, err := question.Of(r, ""); orrery.CodeOf(err) != orrery.Invalid {
			t.Errorf("%s: asked as %+v, %v", name, q, err)
		}
	}
}

// A write carries its key and when it was first sent, and a name cannot leave its place in
// the path.
func TestHeaders(t *testing.T) {
	q := of(t, &orrerypb.Request{
		RequestId: question.RequestID("c1-7"), IssuedNs: 1_500_000_001,
		Body: &orrerypb.Request_DeleteJob{DeleteJob: &orrerypb.JobRequest{Name: "a/../b?c", CheckVersion: 4}},
	}, "")
	if q.Method != "DELETE" || q.Path != "/v1/jobs/a%2F..%2Fb%3Fc" || q.Body != nil {
		t.Errorf("asked as %s %s, %s", q.Method, q.Path, q.Body)
	}
	for name, want := range map[string]string{"Idempotency-Key": "c1-7", "X-Orrery-Issued": "1970-01-01T00:00:01.500000001Z", "If-Match": `"4"`} {
		if got := q.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	problem := http.Header{"Content-Type": {"application/problem+json"}}
	for name, test := range map[string]struct {
		status int
		header http.Header
		body   string
		want   orrery.Code
	}{
		"a status alone":             {400, nil, "no", orrery.Invalid},
		"nobody there":               {404, nil, "", orrery.NotFound},
		"another version":            {412, nil, "", orrery.Conflict},
		"too many":                   {429, nil, "", orrery.Unavailable},
		"no leader":                  {503, nil, "", orrery.Unavailable},
		"no answer in time":          {504, nil, "", orrery.Unknown},
		"a bug":                      {500, nil, "", orrery.Internal},
		"what the API does not say":  {302, nil, "", orrery.Internal},
		"a problem says more":        {404, problem, `{"code":"conflict","detail":"others need it"}`, orrery.Conflict},
		"a problem that is not":      {404, problem, `{"code":`, orrery.NotFound},
		"a problem of another house": {503, problem, `{"title":"down"}`, orrery.Unavailable},
	} {
		got, err := of(t, get, "").Answer(test.status, test.header, []byte(test.body))
		if err != nil || got.GetAnswer().GetCode() != string(test.want) {
			t.Errorf("%s: told %v, %v; want %s", name, got, err, test.want)
		}
	}
}

// An answer that is none says nothing, so that nobody believes it.
func TestGarbageIsNoAnswer(t *testing.T) {
	for _, r := range []*orrerypb.Request{
		get,
		{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: &orrerypb.Job{Name: "x"}}}},
		{Body: &orrerypb.Request_ListJobs{ListJobs: &orrerypb.ListJobsRequest{}}},
		{Body: &orrerypb.Request_ListExecutions{ListExecutions: &orrerypb.ListExecutionsRequest{}}},
	} {
		for _, body := range []string{"", "[{", `"text"`, `{"version":-1}`} {
			if told, err := of(t, r, "").Answer(http.StatusOK, nil, []byte(body)); err == nil {
				t.Errorf("%T: %q is taken for %v", r.GetBody(), body, told)
			}
		}
	}
}

// An execution on several members is one, and open as long as one of them has not ended it.
func TestSlotsAreOfOneExecution(t *testing.T) {
	list := &orrerypb.ListExecutionsRequest{Job: "x", Open: true, Limit: 1}
	q := of(t, &orrerypb.Request{Body: &orrerypb.Request_ListExecutions{ListExecutions: list}}, "")
	body := `[{"id":"9","group":9,"job_name":"x","state":"skipped"},
		{"id":"8.0","group":8,"job_name":"x","state":"succeeded"},{"id":"8.1","group":8,"job_name":"x","state":"backoff"},
		{"id":"7","group":7,"job_name":"x","state":"running"},{"id":"6","group":6,"job_name":"x","state":"lost"}]`
	told, err := q.Answer(http.StatusOK, http.Header{}, []byte(body))
	if err != nil || told.GetTotal() != 2 || len(told.GetExecutions()) != 1 {
		t.Fatalf("told %v, %v", told, err)
	}
	if x := told.GetExecutions()[0]; x.GetId() != 8 || x.GetJobName() != "x" || orrery.State(x.GetState()) != orrery.StateBackoff {
		t.Errorf("the newest open one is told as %v", x)
	}
}
