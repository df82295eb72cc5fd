package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
)

func TestAJobsLife(t *testing.T) {
	w := newWorld(t)
	r := w.a.ask("POST", "/v1/jobs", job("backup", "true", `"tags":{"role":"web:1"}`, `"retries":2`, `"comand":"x"`))
	r.want(201, `"name":"backup"`)
	for name, want := range map[string]string{"Location": "/v1/jobs/backup", "X-Whom": "a", "ETag": `"1"`, "Content-Type": "application/json; charset=utf-8"} {
		if r.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, r.header.Get(name), want)
		}
	}
	if r.header.Get("Warning") != `299 orrery "ignored, as unknown: comand"` || r.header.Get("X-Orrery-Index") == "" {
		t.Errorf("headers %v", r.header)
	}
	created := as[api.Job](r)
	if created.ID != "backup" || created.Concurrency != "allow" || created.Retries != 2 || created.Status != "" || created.Version != 1 || created.CreatedAt.IsZero() {
		t.Errorf("%+v", created)
	}
	for _, null := range []string{`"metadata":null`, `"dependent_jobs":null`, `"processors":{}`, `"last_success":null`, `"expires_at":null`, `"next":"0001-01-01T00:00:00Z"`} {
		r.want(201, null)
	}
	w.a.ask("GET", "/v1/jobs/backup", "").want(200, `"name":"backup"`)
	if pretty := w.a.ask("GET", "/v1/jobs/backup?pretty", "").want(200, "    \"name\": \"backup\","); as[api.Job](pretty).Name != "backup" {
		t.Error("not pretty")
	}
	w.a.ask("GET", "/v1/jobs/nobody", "").want(404, `no job "nobody"`)
	w.a.ask("PUT", "/v1/jobs/backup", job("backup", "true", `"schedule":"@every 1h"`)).want(201, `"version":2`)
	w.a.ask("PATCH", "/v1/jobs", job("backup", "true")).want(201, `"version":3`)
	w.a.ask("PUT", "/v1/jobs/backup", job("other", "true")).want(400, `Job validation failed: job name "other": the path says "backup"`)

	toggled := w.a.ask("POST", "/v1/jobs/backup/toggle", "").want(200, `"disabled":true`)
	if toggled.header.Get("Location") == "" {
		t.Error("no Location")
	}
	w.a.ask("POST", "/v1/jobs/backup/toggle", "").want(200, `"disabled":false`)
	w.a.ask("DELETE", "/v1/jobs/backup", "").want(200, `"name":"backup"`)
	w.a.ask("DELETE", "/v1/jobs/backup", "").want(404, "no job")
	for _, path := range []string{"/toggle", "/run", ""} {
		w.a.ask("POST", "/v1/jobs/backup"+path, "").want(404, "no job")
	}
}

// A write that took effect is told as done, with the version that it made, whatever others
// do to the job before it is shown.
func TestAWriteIsDoneWhateverComesAfterIt(t *testing.T) {
	changed := func(w *world) error {
		w.b.ask("POST", "/v1/jobs/backup/toggle", "").want(200, `"version":3`)
		return nil
	}
	deleted := func(w *world) error {
		w.b.ask("DELETE", "/v1/jobs/backup", "").want(200, "")
		return nil
	}
	leaderless := func(*world) error { return orrery.Errorf(orrery.Unavailable, "nobody leads") }
	for name, test := range map[string]struct {
		method, path string
		body         string
		between      func(*world) error
		status       int
		shown        string
	}{
		"a put that was followed by another":  {"PUT", "/v1/jobs/backup", job("backup", "false"), changed, 201, `"version":3`},
		"a put that was followed by a delete": {"PUT", "/v1/jobs/backup", job("backup", "false"), deleted, 201, `"command":"false"`},
		"a put, and nobody leads":             {"PUT", "/v1/jobs/backup", job("backup", "false"), leaderless, 504, `it was done`},
		"a toggle, and another":               {"POST", "/v1/jobs/backup/toggle", "", changed, 200, `"version":3`},
		"a toggle, and a delete":              {"POST", "/v1/jobs/backup/toggle", "", deleted, 200, `"name":"backup"`},
		"a toggle, and nobody leads":          {"POST", "/v1/jobs/backup/toggle", "", leaderless, 504, `it was done`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.a.ask("POST", "/v1/jobs", job("backup", "true")).want(201, "")
			w.a.between = func() error { return test.between(w) }
			r := w.a.ask(test.method, test.path, test.body).want(test.status, test.shown)
			if got := r.header.Get("X-Orrery-Version"); got != "2" {
				t.Errorf("it made version %q, want 2", got)
			}
		})
	}
}

// A job that was written by one member a moment ago can be run and deleted by another.
func TestAMemberThatIsBehindAsksTheLeaderForAJob(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("backup", "true")).want(201, "")
	w.b.behind = true
	w.b.ask("POST", "/v1/jobs/backup/run", "").want(200, `"name":"backup"`)
	w.b.ask("DELETE", "/v1/jobs/backup", "").want(200, `"name":"backup"`)
	w.b.ask("POST", "/v1/jobs/backup/run", "").want(404, "")
}

func TestJobsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		body   string
		status int
		text   string
	}{
		"no JSON":               {"{", 400, "Unable to parse payload: line 1, column 2: unexpected end of JSON input"},
		"a kind":                {`{"name":1}`, 400, "Unable to parse payload: line 1, column 9: name: found a JSON number: expected a text in quotes"},
		"no name":               {job("", "true"), 400, "Job validation failed: job name: missing"},
		"a name":                {job("a b", "true"), 400, "Job validation failed: job name \"a b\": ' ' at byte 1 is not allowed"},
		"a payload":             {job("a", "true", `"notify":{"after":{"url":"http://x","payload":"{{.Nothing}}"}}`), 400, "Job validation failed: notify.after.payload"},
		"a schedule":            {job("a", "true", `"schedule":"sometimes"`), 400, "Job validation failed: schedule"},
		"a concurrency":         {job("a", "true", `"concurrency":"deny"`), 400, `Job validation failed: concurrency "deny": expected allow or forbid`},
		"an executor":           {`{"name":"a","schedule":"@daily","executor":"magic"}`, 400, `Job validation failed: executor "magic": no member offers it: expected gcppubsub, grpc, http, kafka, nats, rabbitmq, shell`},
		"a processor":           {job("a", "true", `"processors":{"magic":{}}`), 400, `Job validation failed: processors "magic": expected files, log, fluent, syslog`},
		"a parent that is none": {`{"name":"a","parent_job":"nobody","executor":"shell"}`, 404, "specified parent job not found"},
		"a parent that is it":   {`{"name":"a","parent_job":"a","executor":"shell"}`, 400, "a job cannot run after itself"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.a.ask("POST", "/v1/jobs", test.body).want(test.status, test.text)
			if kind := r.header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
				t.Errorf("%s", kind)
			}
			r = w.a.ask("POST", "/v1/jobs", test.body, "Accept: application/problem+json")
			if p := as[api.Problem](r); p.Status != test.status || !strings.Contains(p.Detail, test.text) || p.Type != "urn:orrery:"+string(p.Code) {
				t.Errorf("%+v", p)
			}
		})
	}
	w.a.ask("POST", "/v1/jobs", job("a", "true", `"processors":{"syslog":{}}`)).want(201, "")
	w.a.ask("POST", "/v1/jobs", `{"name":"b","schedule":"@daily","executor":"grpc"}`).want(201, "") // only an agent offers it
	r := w.a.ask("POST", "/v1/jobs", `{"name":"c","schedule":"@daily","executor":"kafka"}`)
	r.want(201, "")
	if warning := r.header.Get("Warning"); !strings.Contains(warning, "no member that is alive offers the executor kafka") {
		t.Errorf("the warning is %q", warning)
	}
}

func TestWhatOthersNeedStays(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("parent", "true")).want(201, "")
	w.a.ask("POST", "/v1/jobs", `{"name":"child","parent_job":"parent","schedule":"@every 1s","executor":"shell"}`).want(201, `"parent_job":"parent"`)
	w.a.ask("GET", "/v1/jobs/parent", "").want(200, `"dependent_jobs":["child"]`)
	w.a.ask("DELETE", "/v1/jobs/parent", "").want(404, "has dependents: child")
	r := w.a.ask("DELETE", "/v1/jobs/parent", "", "Accept: application/problem+json").want(409, "")
	if p := as[api.Problem](r); !slices.Equal(p.Dependents, []string{"child"}) || p.Code != "conflict" {
		t.Errorf("%+v", p)
	}
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
	w.a.ask("POST", "/v1/jobs", job("a", "false"), `If-Match: "1"`).want(201, `"version":2`)
	w.a.ask("POST", "/v1/jobs", job("a", "true"), `If-Match: "1"`).want(412, "")
	w.a.ask("POST", "/v1/jobs/a/toggle", "", `If-Match: "1"`).want(412, "")
	w.a.ask("DELETE", "/v1/jobs/a", "", `If-Match: "1"`).want(412, "")
	w.a.ask("DELETE", "/v1/jobs/a", "", `If-Match: soon`).want(400, "If-Match soon: expected the version of the job")
	w.a.ask("DELETE", "/v1/jobs/a", "", `If-Match: "2"`).want(200, "")
}

func TestAKeyMakesOneEffect(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
	first := w.a.ask("POST", "/v1/jobs/a/run", "", "Idempotency-Key: k1").want(200, "").header.Get("X-Orrery-Execution")
	again := w.a.ask("POST", "/v1/jobs/a/run", "", "Idempotency-Key: k1").want(200, "").header.Get("X-Orrery-Execution")
	other := w.a.ask("POST", "/v1/jobs/a/run", "", "Idempotency-Key: k2").want(200, "").header.Get("X-Orrery-Execution")
	if first == "" || first != again || first == other {
		t.Errorf("executions %q, %q, %q", first, again, other)
	}
	w.a.ask("DELETE", "/v1/jobs/a", "", "Idempotency-Key: k3").want(200, "")
	w.a.ask("DELETE", "/v1/jobs/a", "", "Idempotency-Key: k3").want(200, `"name":"a"`)
	w.a.ask("POST", "/v1/jobs", job("a", "true"), "X-Orrery-Issued: yesterday").want(400, "expected a time such as")
}

func TestListsOfJobs(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"c", "a", "e", "b", "d"} {
		w.a.ask("POST", "/v1/jobs", job(name, "true", fmt.Sprintf(`"displayname":"Job %d","disabled":%v,"metadata":{"team":"t%d","all":"x"}`, 5-i, i%2 == 1, i%2))).want(201, "")
	}
	w.a.ask("POST", "/v1/jobs/a/run?wait=30s", "").want(200, `"status":"success"`)
	for query, want := range map[string]string{
		"":                                "abcde",
		"?_sort=id":                       "abcde",
		"?_sort=name&_order=DESC":         "edcba",
		"?_sort=displayname":              "dbeac",
		"?_sort=display_name&_order=desc": "caebd",
		"?_sort=success_count&_order=DESC&_end=1": "a",
		"?_start=1&_end=3":                        "bc",
		"?_start=3":                               "de",
		"?_start=2&_end=2":                        "",
		"?_start=5":                               "",
		"?_end=100":                               "abcde",
		"?q=Job+5":                                "c",
		"?q=b":                                    "abcde", // in Job, too
		"?status=success":                         "a",
		"?status=untriggered":                     "bcde",
		"?status=partially_failed":                "",
		"?disabled=true":                          "ab",
		"?disabled=false":                         "cde",
		"?metadata[team]=t1":                      "ab",
		"?metadata[team]=t1&metadata[all]=x":      "ab",
		"?metadata[team]=t1&metadata[all]=y":      "",
		"?metadata%5Bteam%5D=t1&consistent":       "ab",
		"?_sort=next&_start=0&_end=5&pretty":      "abcde",
	} {
		r := w.a.ask("GET", "/v1/jobs"+query, "")
		var names string
		for _, j := range as[[]api.Job](r.want(200, "[")) {
			names += j.Name
		}
		if names != want {
			t.Errorf("%s: %q, want %q", query, names, want)
		}
		if strings.HasPrefix(query, "?_start") || strings.HasPrefix(query, "?_end") {
			if total := r.header.Get("X-Total-Count"); total != "5" {
				t.Errorf("%s: total %s", query, total)
			}
		}
	}
	for query, text := range map[string]string{
		"?_start=6": "behind", "?_start=x": "_start", "?_start=3&_end=2": "_end 2: expected at least _start, 3", "?_start=-1": "_start",
		"?_sort=color": "unknown sort", "?_order=up": "expected ASC or DESC", "?status=odd": "unknown status", "?disabled=maybe": "expected true or false",
	} {
		w.a.ask("GET", "/v1/jobs"+query, "").want(400, text)
	}
}

// TestListsLongerThanAPage: pages are joined, each job is there once.
func TestListsLongerThanAPage(t *testing.T) {
	w := newWorld(t)
	var jobs []string
	for i := range 2345 {
		jobs = append(jobs, job(fmt.Sprintf("job-%04d", i), "true"))
	}
	w.a.ask("POST", "/v1/jobs:apply", "["+strings.Join(jobs, ",")+"]").want(200, `"applied":true`)
	for query, n := range map[string]int{"": 2345, "?_sort=next": 2345, "?_start=900&_end=2100": 1200, "?_order=DESC": 2345} {
		r := w.a.ask("GET", "/v1/jobs"+query, "")
		seen := map[string]bool{}
		for _, j := range as[[]api.Job](r) {
			seen[j.Name] = true
		}
		if len(seen) != n || r.header.Get("X-Total-Count") != "2345" {
			t.Errorf("%s: %d jobs of %s", query, len(seen), r.header.Get("X-Total-Count"))
		}
	}
}

func TestRunAndWait(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs?runoncreate", job("a", "true")).want(201, "")
	eventually(t, "it ran when it was created", func() bool {
		return as[api.Job](w.a.ask("GET", "/v1/jobs/a", "")).SuccessCount == 1
	})
	if r := w.a.ask("POST", "/v1/jobs?runoncreate=true", job("a", "true")).want(201, ""); r.header.Get("X-Orrery-Execution") == "" {
		t.Error("it did not run when it was replaced")
	}
	eventually(t, "it ran when it was replaced", func() bool {
		return as[api.Job](w.a.ask("GET", "/v1/jobs/a", "")).SuccessCount == 2
	})
	if r := w.a.ask("POST", "/v1/jobs/a?wait=30s", "").want(200, `"success_count":3`); r.header.Get("X-Orrery-Outcome") != "succeeded" {
		t.Errorf("%v", r.header)
	}
	w.a.ask("POST", "/v1/jobs", job("bad", "false")).want(201, "")
	if r := w.a.ask("POST", "/v1/jobs/bad/run?wait=30s", "").want(200, `"status":"failed"`); r.header.Get("X-Orrery-Outcome") != "failed" {
		t.Errorf("%v", r.header)
	}
	w.a.ask("POST", "/v1/jobs", job("once", "true", `"ephemeral":true`)).want(201, "")
	w.a.ask("POST", "/v1/jobs/once/run?wait=30s", "").want(200, `"name":"once"`)
	w.a.ask("POST", "/v1/jobs", job("long", "hang")).want(201, "")
	if r := w.a.ask("POST", "/v1/jobs/long?wait=50ms", "").want(200, ""); r.header.Get("X-Orrery-Outcome") != "" {
		t.Errorf("%v", r.header)
	}
	w.a.ask("POST", "/v1/jobs/long?wait=ever", "").want(400, "expected a duration")
}

func TestPause(t *testing.T) {
	w := newWorld(t)
	w.a.ask("GET", "/v1/pause", "").want(200, `{"paused":false}`)
	w.a.ask("POST", "/v1/pause", "").want(200, `{"paused":true}`)
	w.a.ask("GET", "/v1/pause", "").want(200, `{"paused":true}`)
	if r := w.a.ask("POST", "/v1/jobs", job("a", "true")).want(503, "New job submissions are currently paused"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.a.ask("POST", "/v1/unpause", "").want(200, `{"paused":false}`)
	w.a.ask("POST", "/v1/jobs", job("a", "true")).want(201, "")
}

func TestNextDueTimes(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("a", "true", `"schedule":"0 30 4 * * *","timezone":"Europe/Berlin"`)).want(201, "")
	dues := as[[]api.Occurrence](w.a.ask("GET", "/v1/jobs/a/next?count=400", ""))
	if len(dues) != 400 || !dues[0].Due.After(time.Now()) || dues[1].Due.Sub(dues[0].Due) > 25*time.Hour {
		t.Errorf("%d due times: %v", len(dues), dues[:2])
	}
	if first := as[api.Job](w.a.ask("GET", "/v1/jobs/a", "")).Next; !first.Equal(dues[0].Due) {
		t.Errorf("next is %s and the first of the preview %s", first, dues[0].Due)
	}
	w.a.ask("GET", "/v1/jobs/a/next?count=5000", "").want(400, "expected a number from 0 to 1000")
	w.a.ask("POST", "/v1/jobs/a/toggle", "").want(200, "")
	w.a.ask("GET", "/v1/jobs/a/next", "").want(200, "[]")
	w.a.ask("GET", "/v1/jobs/b/next", "").want(404, "")
}

func TestPlanAndApply(t *testing.T) {
	w := newWorld(t)
	w.a.ask("POST", "/v1/jobs", job("old", "true")).want(201, "")
	w.a.ask("POST", "/v1/jobs", job("stays", "true", `"history":20`)).want(201, "")
	w.a.ask("POST", "/v1/jobs", `{"name":"child-of-old","parent_job":"old","executor":"shell"}`).want(201, "")
	list := `{"prune":true,"jobs":[
		{"name":"last","parent_job":"middle","executor":"shell"},
		{"name":"middle","parent_job":"first","executor":"shell"},
		` + job("stays", "true") + `,` + job("first", "true") + `]}`
	plan := as[api.Plan](w.a.ask("POST", "/v1/jobs:plan", list))
	told, _ := json.Marshal(plan)
	var actions []string
	for _, c := range plan.Changes {
		actions = append(actions, c.Action+" "+c.Name)
	}
	want := []string{"create first", "none stays", "create middle", "create last", "delete child-of-old", "delete old"}
	if !slices.Equal(actions, want) || plan.Applied {
		t.Fatalf("%s\nwant %s", told, want)
	}
	w.a.ask("GET", "/v1/jobs/first", "").want(404, "")
	w.a.ask("POST", "/v1/jobs:apply?dry_run", list).want(200, `"applied":false`)
	w.a.ask("GET", "/v1/jobs/first", "").want(404, "")
	w.a.ask("POST", "/v1/jobs:apply", list).want(200, `"applied":true`)
	if total := w.a.ask("GET", "/v1/jobs", "").header.Get("X-Total-Count"); total != "4" {
		t.Errorf("%s jobs", total)
	}
	again := as[api.Plan](w.a.ask("POST", "/v1/jobs:plan", list))
	if slices.ContainsFunc(again.Changes, func(c api.Change) bool { return c.Action != api.ActionNone }) {
		t.Errorf("%+v", again)
	}
	changed := as[api.Plan](w.a.ask("POST", "/v1/jobs:plan", "["+job("stays", "false", `"retries":2`)+"]"))
	if len(changed.Changes) != 1 || changed.Changes[0].Action != api.ActionUpdate || !slices.Equal(changed.Changes[0].Fields, []string{"retries", "executor_config"}) {
		t.Errorf("%+v", changed)
	}
	for body, text := range map[string]string{
		"[" + job("x", "true") + "," + job("x", "true") + "]":                                                           `job "x": is in the list twice`,
		"[" + job("x y", "true") + "," + job("", "true") + "]":                                                          `job "":`,
		`[{"name":"x","parent_job":"nobody","executor":"shell"}]`:                                                       `job "x": specified parent job not found: "nobody"`,
		`{"prune":true,"jobs":[{"name":"x","parent_job":"first","executor":"shell"}]}`:                                  `specified parent job not found: "first"`,
		`[{"name":"x","needs":[{"job":"y"}],"executor":"shell"},{"name":"y","needs":[{"job":"x"}],"executor":"shell"}]`: "needs itself",
		"[{]": "Unable to parse payload",
	} {
		w.a.ask("POST", "/v1/jobs:apply", body).want(400, text)
	}
	if total := w.a.ask("GET", "/v1/jobs", "").header.Get("X-Total-Count"); total != "4" {
		t.Errorf("%s jobs", total)
	}
}
