package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"orrery"
)

var (
	names    = rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_.-]{0,12}`)
	texts    = rapid.SampledFrom([]string{"", "x", "line\nbreak", "quote \" and : colon", "- dash", "true", "12", "null", "Ünï", "# no comment"})
	pairs    = rapid.MapOfN(names, texts, 0, 3)
	spans    = rapid.SampledFrom([]time.Duration{0, time.Nanosecond, 1500 * time.Millisecond, time.Second, 90 * time.Minute, 1000 * time.Hour})
	instants = rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
	})
)

func enum[W ~uint8](t *rapid.T, most W, what string) W {
	return W(rapid.Uint8Range(0, uint8(most)).Draw(t, what))
}

// anyJob draws a job that Validate accepts, or nearly so.
func anyJob(t *rapid.T) orrery.Job {
	j := orrery.Job{
		Name: names.Draw(t, "name"), DisplayName: texts.Draw(t, "display name"), Description: texts.Draw(t, "description"),
		Owner: texts.Draw(t, "owner"), OwnerEmail: texts.Draw(t, "email"),
		Schedule: rapid.SampledFrom([]string{"", "@manually", "@every 90s", "0 30 2 * * *", "~ ~ * * *"}).Draw(t, "schedule"),
		Timezone: rapid.SampledFrom([]string{"", "UTC", "Europe/Berlin"}).Draw(t, "zone"),
		DST:      orrery.DST{Gap: enum(t, orrery.GapSkip, "gap"), Repeat: enum(t, orrery.RepeatBoth, "repeat")},
		StartsAt: instants.Draw(t, "starts"), ExpiresAt: instants.Draw(t, "expires"),
		Disabled: rapid.Bool().Draw(t, "disabled"), Ephemeral: rapid.Bool().Draw(t, "ephemeral"),
		Tags: pairs.Draw(t, "tags"), Metadata: pairs.Draw(t, "metadata"), Labels: pairs.Draw(t, "labels"),
		Targets: enum(t, orrery.TargetsAll, "targets"),
		Overlap: enum(t, orrery.OverlapReplace, "overlap"), Misfire: enum(t, orrery.MisfireAll, "misfire"),
		MisfireWindow: spans.Draw(t, "window"), MisfireMax: rapid.IntRange(0, 99).Draw(t, "most"),
		Timeout: spans.Draw(t, "timeout"), StartDeadline: spans.Draw(t, "start deadline"), Deadline: spans.Draw(t, "deadline"),
		OnLost: enum(t, orrery.OnLostWait, "on lost"), Delivery: enum(t, orrery.DeliveryAtLeastOnce, "delivery"), Join: enum(t, orrery.JoinAny, "join"),
		Executor: "shell", ExecutorConfig: pairs.Draw(t, "config"), History: rapid.IntRange(0, 99).Draw(t, "history"),
	}
	switch j.Overlap {
	case orrery.OverlapAllow:
		j.MaxParallel = rapid.IntRange(0, 9).Draw(t, "parallel")
	case orrery.OverlapQueue:
		j.QueueLimit, j.QueueKeep = rapid.IntRange(0, 9).Draw(t, "limit"), enum(t, orrery.QueueKeepLatest, "keep")
	}
	j.Retry = orrery.Retry{Max: rapid.IntRange(0, 9).Draw(t, "retries"), On: enum(t, orrery.RetryOnLost, "on"), Node: enum(t, orrery.RetryDifferent, "node")}
	j.Retry.Backoff = orrery.Backoff{
		Initial: spans.Draw(t, "initial"), Max: spans.Draw(t, "max"),
		Factor: rapid.SampledFrom([]int{0, 1000, 1001, 1234, 2500, 9999}).Draw(t, "factor"),
		Jitter: rapid.SampledFrom([]int{-1, 0, 1, 100, 333, 1000}).Draw(t, "jitter"),
	}
	needed := rapid.MapOfN(names, rapid.Uint8Range(0, uint8(orrery.NeedAlways)), 0, 2).Draw(t, "needs")
	for _, job := range slices.Sorted(maps.Keys(needed)) {
		j.Needs = append(j.Needs, orrery.Need{Job: job, On: orrery.NeedOn(needed[job])})
	}
	hook := rapid.Custom(func(t *rapid.T) orrery.Webhook {
		if rapid.Bool().Draw(t, "none") {
			return orrery.Webhook{}
		}
		return orrery.Webhook{URL: "https://example.org/hook", Headers: pairs.Draw(t, "headers"), Payload: texts.Draw(t, "payload")}
	})
	j.Notify = orrery.Notify{On: enum(t, orrery.NotifyNever, "notify"), Before: hook.Draw(t, "before"), After: hook.Draw(t, "after")}
	if rapid.Bool().Draw(t, "processors") {
		j.Processors = map[string]map[string]string{"files": pairs.Draw(t, "files")}
	}
	return j
}

var sameJob = cmp.Options{cmpopts.EquateEmpty()}

// TestJobsSurviveTheirWriting: words, JSON or YAML, words.
func TestJobsSurviveTheirWriting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyJob(t)
		invalid := want.Validate(orrery.ClusterConfig{})
		written, err := json.Marshal(FromWords(want))
		if err != nil {
			t.Fatal(err)
		}
		var j Job
		if unknown, err := Decode(written, &j); err != nil || len(unknown) > 0 {
			t.Fatalf("decode: %v, unknown %v", err, unknown)
		}
		definition := FromWords(want)
		asYAML, err := yaml.Marshal(definition.Definition())
		if err != nil {
			t.Fatal(err)
		}
		fromYAML, unknown, err := DecodeJobs(asYAML)
		if err != nil || len(unknown) > 0 || len(fromYAML) != 1 {
			t.Fatalf("decode YAML: %v, unknown %v, %d jobs of:\n%s", err, unknown, len(fromYAML), asYAML)
		}
		for kind, read := range map[string]Job{"JSON": j, "YAML": fromYAML[0]} {
			got, err := read.Words(orrery.ClusterConfig{})
			if (err == nil) != (invalid == nil) {
				t.Fatalf("%s: %v; the words: %v", kind, err, invalid)
			}
			if diff := cmp.Diff(want, got, sameJob); diff != "" {
				t.Fatalf("%s (- want, + got):\n%s\nof %s\n%s", kind, diff, written, asYAML)
			}
		}
	})
}

func TestPairsMustAgree(t *testing.T) {
	for name, test := range map[string]struct {
		more string
		err  string // "": accepted
	}{
		"concurrency alone":           {`"concurrency":"forbid"`, ""},
		"both say the same":           {`"concurrency":"forbid","overlap":"skip"`, ""},
		"both say forbid":             {`"concurrency":"forbid","overlap":"forbid"`, ""},
		"overlap alone":               {`"concurrency":"","overlap":"queue"`, ""},
		"concurrency against overlap": {`"concurrency":"forbid","overlap":"queue"`, `concurrency "forbid" and overlap "queue" disagree: give one of them`},
		"allow against skip":          {`"concurrency":"allow","overlap":"skip"`, `concurrency "allow" and overlap "skip" disagree: give one of them`},
		"a word that is none":         {`"concurrency":"maybe"`, `concurrency "maybe": expected allow or forbid`},
		"retries alone":               {`"retries":3`, ""},
		"retries twice":               {`"retries":3,"retry":{"max":3}`, ""},
		"retries against retry":       {`"retries":3,"retry":{"max":4}`, "retries 3 and retry.max 4 disagree: give one of them"},
		"a parent twice":              {`"parent_job":"a","needs":[{"job":"a"}]`, ""},
		"a parent against needs":      {`"parent_job":"a","needs":[{"job":"b"}]`, `parent_job "a" and needs disagree: give one of them`},
		"a parent's failure":          {`"parent_job":"a","needs":[{"job":"a","on":"failure"}]`, `parent_job "a" and needs disagree: give one of them`},
		"too fine a factor":           {`"retry":{"backoff":{"factor":1.2345}}`, "retry.backoff.factor 1.2345: expected a number of at most three digits behind the point, and not below 0"},
	} {
		t.Run(name, func(t *testing.T) {
			var j Job
			if _, err := Decode([]byte(`{"name":"x","schedule":"@every 1m","executor":"shell",`+test.more+`}`), &j); err != nil {
				t.Fatal(err)
			}
			_, err := j.Words(orrery.ClusterConfig{})
			switch {
			case test.err == "" && err != nil:
				t.Fatal(err)
			case test.err != "" && (err == nil || err.Error() != test.err || orrery.CodeOf(err) != orrery.Invalid):
				t.Fatalf("got %v\nwant %s", err, test.err)
			}
		})
	}
}

// TestDkronsWordsCanBeEdited: who reads a job, changes a word of Dkron's and writes it
// back does not contradict himself.
func TestDkronsWordsCanBeEdited(t *testing.T) {
	job := orrery.Job{Name: "x", Executor: "shell", Overlap: orrery.OverlapSkip, Retry: orrery.Retry{Max: 2, Node: orrery.RetrySame}, Needs: []orrery.Need{{Job: "a"}}}
	j := FromWords(job)
	j.Concurrency, j.Retries, j.ParentJob = "allow", 5, "b"
	got, err := j.Words(orrery.ClusterConfig{})
	want := orrery.Job{Name: "x", Executor: "shell", Retry: orrery.Retry{Max: 5, Node: orrery.RetrySame}, Needs: []orrery.Need{{Job: "b"}}}
	if diff := cmp.Diff(want, got, sameJob); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
}

// TestTheScheduleOfAChildIsShownAndNotFollowed, as in Dkron.
func TestTheScheduleOfAChildIsShownAndNotFollowed(t *testing.T) {
	j := Job{Name: "x", Schedule: "@every 1s", ParentJob: "a", Executor: "shell", Labels: map[string]string{"team": "a"}}
	got, err := j.Words(orrery.ClusterConfig{})
	if err != nil || got.Schedule != "" || len(got.Needs) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	again := FromWords(got)
	if again.Schedule != j.Schedule || again.ParentJob != "a" || !maps.Equal(again.Labels, j.Labels) {
		t.Errorf("it is shown with schedule %q, parent %q, labels %v", again.Schedule, again.ParentJob, again.Labels)
	}
}

func TestDecodeSaysWhere(t *testing.T) {
	for name, test := range map[string]struct{ body, err string }{
		"nothing":              {``, "line 1, column 1: unexpected end of JSON input"},
		"half":                 {"{\n\"name\": \"x", "line 2, column 11: unexpected end of JSON input"},
		"no JSON":              {"{\n  name: 1}", "line 2, column 4: invalid character 'n' looking for beginning of object key string"},
		"a list":               {`[1]`, "line 1, column 1: found a JSON array: expected an object"},
		"a number for a text":  {"{\"name\": \"x\",\n \"schedule\": 5}", "line 2, column 14: schedule: found a JSON number: expected a text in quotes"},
		"a text for a number":  {`{"retries": "5"}`, "line 1, column 13: retries: found a JSON string: expected a whole number"},
		"a text for a bool":    {`{"disabled": "no"}`, "line 1, column 14: disabled: found a JSON string: expected true or false"},
		"a number in a map":    {`{"tags": {"a": 1}}`, "line 1, column 10: tags: found a JSON number: expected a text in quotes"},
		"a duration":           {`{"timeout": 30}`, `line 1, column 13: timeout: 30: expected a duration in quotes, such as "90s", "10m" or "1h30m"`},
		"a duration's unit":    {`{"timeout": "30"}`, `line 1, column 13: timeout: "30": expected a duration such as 90s, 10m or 1h30m`},
		"a duration deep down": {"{\"retry\":\n{\"backoff\": {\"initial\": \"soon\"}}}", `line 2, column 25: retry.backoff.initial: "soon": expected a duration such as 90s, 10m or 1h30m`},
		"a time":               {`{"starts_at": "tomorrow"}`, `line 1, column 15: starts_at: "tomorrow": expected a time such as 2027-01-31T08:00:00Z or 2027-01-31T08:00`},
		"a need":               {`{"needs": [{"job": "a"}, {"job": 1}]}`, "line 1, column 34: needs[1].job: found a JSON number: expected a text in quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			var j Job
			_, err := Decode([]byte(test.body), &j)
			if err == nil || err.Error() != test.err || orrery.CodeOf(err) != orrery.Invalid {
				t.Fatalf("got  %v\nwant %s", err, test.err)
			}
		})
	}
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	var j Job
	unknown, err := Decode([]byte(`{"name":"x","Schedule":"@daily","cmd":"true","retry":{"tries":3},"needs":[{"job":"a","when":"b"}],"tags":{"any":"thing"}}`), &j)
	if err != nil || !slices.Equal(unknown, []string{"cmd", "needs.0.when", "retry.tries"}) {
		t.Fatalf("%v, %v", unknown, err)
	}
	if j.Schedule != "@daily" || j.Name != "x" {
		t.Fatalf("the rest was not read: %+v", j)
	}
}

func TestYAMLIsReadAsPeopleWriteIt(t *testing.T) {
	jobs, unknown, err := DecodeJobs([]byte(`
# two jobs, and a list
name: a
schedule: "@every 1m"
executor: http
executor_config:
  url: http://localhost/
  timeout: 30
  debug: true
starts_at: 2027-01-31T08:00
retry: {max: 3, backoff: {initial: 10s, factor: 1.5}}
---
- name: b
  schdule: "@daily"
- name: c
  needs: [{job: a, on: always}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 3 || jobs[2].Needs[0].On != "always" || !slices.Equal(unknown, []string{"schdule (job b)"}) {
		t.Fatalf("%+v, unknown %v", jobs, unknown)
	}
	a := jobs[0]
	if a.ExecutorConfig["timeout"] != "30" || a.ExecutorConfig["debug"] != "true" || a.StartsAt.Hour() != 8 || a.Retry.Backoff.Initial != Duration(10*time.Second) {
		t.Fatalf("%+v", a)
	}
}

func TestYAMLErrorsSayWhere(t *testing.T) {
	for _, text := range []string{"name: a\nretries: many\n", "name: [a\n", "- name: a\n  timeout: 5 minutes\n", "just words\n"} {
		_, _, err := DecodeJobs([]byte(text))
		if orrery.CodeOf(err) != orrery.Invalid || !strings.ContainsAny(err.Error(), "12") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSettingsSurviveTheirWriting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := orrery.ClusterConfig{
			Zone: texts.Draw(t, "zone"), LostAfter: spans.Draw(t, "lost"), HeartbeatEvery: spans.Draw(t, "heartbeat"), MisfireAfter: spans.Draw(t, "misfire"),
			MaxClockSkew: spans.Draw(t, "skew"), HistoryMaxBytes: rapid.Int64().Draw(t, "bytes"), HistoryMaxAge: spans.Draw(t, "age"),
			RequestsKept: rapid.Int().Draw(t, "kept"), RequestsMaxAge: spans.Draw(t, "requests"), DkronPlacement: rapid.Bool().Draw(t, "placement"),
			Notify: orrery.ClusterNotify{Before: rapid.Bool().Draw(t, "before"), After: enum(t, orrery.NotifyEndsAll, "after")},
		}
		written, err := json.Marshal(FromConfig(want))
		if err != nil {
			t.Fatal(err)
		}
		var c ClusterConfig
		if _, err := Decode(written, &c); err != nil {
			t.Fatal(err)
		}
		got, err := c.Words()
		if err != nil || got != want {
			t.Fatalf("%v\n%s", err, cmp.Diff(want, got))
		}
	})
}

func TestACommandAlone(t *testing.T) {
	j := Job{Name: "x", Schedule: "@daily", Command: "echo 'a b'"}
	got, err := j.Words(orrery.ClusterConfig{})
	if err != nil || got.Executor != "shell" || got.ExecutorConfig["command"] != "echo 'a b'" || got.ExecutorConfig["shell"] != "true" {
		t.Fatalf("%v, %v", got, err)
	}
}

// TestAppendJSONIsMarshal: the quick way says the same.
func TestAppendJSONIsMarshal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := FromWords(anyJob(t))
		j.SuccessCount, j.ErrorCount, j.Version = rapid.Uint64().Draw(t, "successes"), rapid.Uint64().Draw(t, "errors"), rapid.Uint64().Draw(t, "version")
		j.LastSuccess, j.LastError = Time{instants.Draw(t, "success")}, Time{instants.Draw(t, "error")}
		j.Next, j.CreatedAt, j.UpdatedAt = instants.Draw(t, "next"), instants.Draw(t, "created"), instants.Draw(t, "updated")
		j.DependentJobs = rapid.SampledFrom([][]string{nil, {}, {"a"}, {"a", "b"}}).Draw(t, "dependents")
		j.DisplayName, j.Command = rapid.String().Draw(t, "any text"), texts.Draw(t, "command")
		want, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := j.AppendJSON(nil)
		if err != nil || string(got) != string(want) {
			t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
		}
	})
}
