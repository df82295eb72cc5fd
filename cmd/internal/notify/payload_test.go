package notify

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

var ended = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// failed is an execution of two slots, of which the second failed.
func failed(output string) (*orrerypb.Notification, *orrerypb.ExecutionRecord) {
	slot := func(member string, outcome orrery.Outcome, output string) *orrerypb.SlotRecord {
		return &orrerypb.SlotRecord{Member: member, N: 2, Outcome: uint32(outcome), Attempts: []*orrerypb.AttemptRecord{{
			N: 2, Member: member, AssignedNs: ended.Add(-time.Minute).UnixNano(), EndedNs: ended.UnixNano(), Outcome: uint32(outcome),
			Result: &orrerypb.Result{Succeeded: outcome == orrery.OutcomeSucceeded, ExitCode: 3, Output: []byte(output)},
		}}}
	}
	return &orrerypb.Notification{
			Id: 7, Kind: "after", Job: "backup", Execution: 42, Outcome: uint32(orrery.OutcomeFailed), Reason: "exit", AtNs: ended.UnixNano(),
		}, &orrerypb.ExecutionRecord{
			Id: 42, JobName: "backup", StartedNs: ended.Add(-time.Minute).UnixNano(), Outcome: uint32(orrery.OutcomeFailed),
			Slots: []*orrerypb.SlotRecord{slot("m1", orrery.OutcomeSucceeded, "fine"), slot("m2", orrery.OutcomeFailed, output)},
		}
}

func fill(t interface{ Fatal(...any) }, payload, output, contentType string) string {
	n, record := failed(output)
	got, _, err := body(orrery.Webhook{URL: "http://h", Payload: payload}, newExecution(n, record, "m3"), contentType)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestPayload(t *testing.T) {
	for name, test := range map[string]struct{ payload, output, contentType, want string }{
		"Dkron's variables": {
			"{{.JobName}} {{.ReportingNode}} {{.StartTime}} {{.FinishedAt}} {{.Success}} {{.NodeName}} {{.Output}}", `a "b"`, "",
			`backup m3 2026-01-02 03:03:05 +0000 UTC 2026-01-02 03:04:05 +0000 UTC false m2 a "b"`,
		},
		"ours": {
			"{{.Kind}} {{.Execution}} {{.Outcome}} {{.Reason}} {{.Cause}} {{.Attempt}} {{.ExitCode}}", "", "",
			"after 42 failed exit scheduled 2 3",
		},
		"a text of JSON":         {`{"text": "{{.Output}}"}`, "a \"b\"\n\\", "", `{"text": "a \"b\"\n\\"}`},
		"a whole value":          {`{"text": {{json .Output}}, "at": {{json .FinishedAt}}}`, `a "b"`, "", `{"text": "a \"b\"", "at": "2026-01-02T03:04:05Z"}`},
		"a number":               {`{"code": {{.ExitCode}}}`, "", "", `{"code": 3}`},
		"a list":                 {`["{{.Output}}"]`, `"`, "", `["\""]`},
		"plain text in brackets": {`[WARN] {{.Output}}`, `"b"`, "", `[WARN] "b"`},
		"what fits a form":       {`payload={"text": "{{.Output}}"}`, `100% "b" & c`, "application/x-www-form-urlencoded", `payload={"text": "100%25+%5C%22b%5C%22+%26+c"}`},
		"a form without JSON":    {`text={{.Output}}&job={{.JobName}}`, `a&b="c"`, "Application/X-WWW-form-urlencoded; charset=utf-8", `text=a%26b%3D%22c%22&job=backup`},
		"a condition":            {`{{if eq .Success "true"}}ok{{else}}bad: {{.Output}}{{end}}`, "x", "", "bad: x"},
		"a variable":             {`{"a": "{{$o := .Output}}{{$o}}{{with .Reason}} {{.}}{{end}}"}`, `"`, "", `{"a": "\" exit"}`},
		"what is not UTF-8":      {`{"a": "{{.Output}}"}`, "\xff", "", `{"a": "\ufffd"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fill(t, test.payload, test.output, test.contentType); got != test.want {
				t.Errorf("filled\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// The report is Dkron's, line by line.
func TestReport(t *testing.T) {
	want := `Executed: backup
Reporting node: m3
Start time: 2026-01-02 03:03:05 +0000 UTC
End time: 2026-01-02 03:04:05 +0000 UTC
Success: false
Node: m2
Output: disk full
Execution group: 42
	[Node]: m1 [Start]: 2026-01-02 03:03:05 +0000 UTC [End]: 2026-01-02 03:04:05 +0000 UTC [Success]: true
	[Node]: m2 [Start]: 2026-01-02 03:03:05 +0000 UTC [End]: 2026-01-02 03:04:05 +0000 UTC [Success]: false
`
	if got := fill(t, "{{.Report}}", "disk full", ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever a job prints, the JSON that it is put into stays JSON and says just that; the
// payload of Dkron's documentation, which is JSON inside a form, likewise.
func TestNoValueBreaksItsPayload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		output := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\{}%&+=\n<>]{0,9}`)).Draw(t, "output")
		if !utf8.ValidString(output) {
			t.Skip("JSON cannot say it")
		}
		var said struct{ Text, Whole string }
		if err := json.Unmarshal([]byte(fill(t, `{"text": "{{.Output}}", "whole": {{json .Output}}}`, output, "application/json")), &said); err != nil || said.Text != output || said.Whole != output {
			t.Fatalf("%q arrives as %q and %q: %v", output, said.Text, said.Whole, err)
		}
		form, err := url.ParseQuery(fill(t, `payload={"text": "{{.Output}}", "channel": "#foo"}`, output, formType))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(form.Get("payload")), &said); err != nil || said.Text != output {
			t.Fatalf("%q arrives in a form as %q: %v", output, said.Text, err)
		}
	})
}

// Without a payload a receiver gets the facts.
func TestSummary(t *testing.T) {
	want := `{"attempt":2,"cause":"scheduled","due":null,"execution":42,"exit_code":3,"finished_at":"2026-01-02T03:04:05Z","job":"backup","kind":"after","member":"m2","outcome":"failed","output":"<x>","reason":"exit","started_at":"2026-01-02T03:03:05Z"}`
	if got := fill(t, "", "<x>", ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An execution that is no longer kept is told of as far as the notification goes; one that
// starts has no end.
func TestWhatIsKnown(t *testing.T) {
	n, record := failed("x")
	gone := newExecution(n, nil, "m3")
	if gone.Outcome != "failed" || gone.JobName != "backup" || !gone.FinishedAt.Equal(ended) || gone.Output != "" {
		t.Errorf("of one that is gone: %+v", gone)
	}
	n.Kind, n.Outcome = "before", 0
	if starts := newExecution(n, record, "m3"); !starts.FinishedAt.IsZero() || starts.Output != "" || starts.Outcome != "none" || starts.Success != "false" {
		t.Errorf("of one that starts: %+v", starts)
	}
}

func TestCheckPayload(t *testing.T) {
	for payload, want := range map[string]string{
		"":                                "",
		"{{.Report}} {{json .Execution}}": "",
		"{{.Rapport}}":                    `payload:1:2: executing "payload" at <.Rapport>: can't evaluate field Rapport in type *notify.execution`,
		"{{.Report":                       "payload:1: unclosed action",
		"{{range 1000000000}}{{end}}":     "payload: {{range}} is not accepted: expected values, if, with and functions",
		`{{define "a"}}{{end}}x`:          "payload: {{define}} is not accepted: expected values, if, with and functions",
		`{{define "a"}}{{end}}`:           "payload: {{define}} is not accepted: expected values, if, with and functions",
		`{{if .Output}}{{template "payload"}}{{end}}`: "payload: {{template}} is not accepted: expected values, if, with and functions",
		`{{printf "%300000d" 1}}`:                     "the body is longer than 262144 bytes",
	} {
		got := ""
		if err := CheckPayload(payload); err != nil {
			got = err.Error()
			if orrery.CodeOf(err) != orrery.Invalid {
				t.Errorf("%q: code %q", payload, orrery.CodeOf(err))
			}
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q: got %q, want %q", payload, got, want)
		}
	}
}

func FuzzCheckPayload(f *testing.F) {
	for _, seed := range []string{"{{.Report}}", `{"a": "{{json .Output}}"}`, "{{if .Success}}a{{else if .Output}}b{{end}}", "{{with $x := .Reason}}{{$x}}{{end}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		if err := CheckPayload(payload); err != nil && orrery.CodeOf(err) != orrery.Invalid {
			t.Errorf("%q: %v", payload, err)
		}
	})
}
