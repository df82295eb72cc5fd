package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// traced is the records that a call prints, by JSON.
func traced(t *testing.T, args ...string) []jsonRecord {
	t.Helper()
	got := call(t, "", append([]string{"trace", tiny, "--format", "json"}, args...)...)
	if got.code != exitKept {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	var all []jsonRecord
	for line := range strings.Lines(got.out) {
		var r jsonRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

func TestTraceChooses(t *testing.T) {
	all := traced(t)
	cases := map[string]struct {
		args []string
		want func(jsonRecord) bool
	}{
		"a member":     {[]string{"--member", "m2"}, func(r jsonRecord) bool { return r.Member == "m2" }},
		"an actor":     {[]string{"--actor", "chain"}, func(r jsonRecord) bool { return r.Actor == "chain" }},
		"a kind":       {[]string{"--kind", "fault"}, func(r jsonRecord) bool { return r.Kind == "fault" }},
		"two kinds":    {[]string{"--kind", "note,emit"}, func(r jsonRecord) bool { return r.Kind == "note" || r.Kind == "emit" }},
		"a kind twice": {[]string{"--kind", "note", "--kind", "emit"}, func(r jsonRecord) bool { return r.Kind == "note" || r.Kind == "emit" }},
		"a time":       {[]string{"--from", "9s", "--to", "00:00:10.000"}, func(r jsonRecord) bool { return r.AtNs >= 9e9 && r.AtNs <= 10e9 }},
		"a job":        {[]string{"--job", "publish"}, func(r jsonRecord) bool { return strings.Contains(r.What+" "+r.Text, "publish") }},
		"an execution": {[]string{"--execution", "1"}, func(r jsonRecord) bool {
			return strings.Contains(strings.ToLower(r.Text)+" ", "execution=1 ") || strings.Contains(strings.ToLower(r.Text)+" ", "execution=1}") || strings.Contains(r.What+" "+r.Text, " 1.0.1")
		}},
		"a member and a kind": {[]string{"--member", "m1", "--kind", "note"}, func(r jsonRecord) bool { return r.Member == "m1" && r.Kind == "note" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var want []uint64
			for _, r := range all {
				if c.want(r) {
					want = append(want, r.Step)
				}
			}
			var got []uint64
			for _, r := range traced(t, c.args...) {
				got = append(got, r.Step)
			}
			if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("steps %v\nwant  %v", got, want)
			}
		})
	}
}

func TestTraceEndsAtItsLimit(t *testing.T) {
	all := traced(t, "--kind", "deliver", "--limit", "3")
	if len(all) != 3 || all[0].Step == 0 {
		t.Errorf("%+v", all)
	}
}

// TestCausesAndEffectsAreOneRelation walks both ways along the order to run an attempt.
func TestCausesAndEffectsAreOneRelation(t *testing.T) {
	order := traced(t, "--kind", "deliver", "--match", "RunAttempt", "--job", "publish", "--limit", "1")
	if len(order) != 1 {
		t.Fatalf("%d records", len(order))
	}
	chain := traced(t, "--cause", fmt.Sprint(order[0].Step))
	for i, r := range chain[1:] {
		if r.Step != chain[i].Cause || r.AtNs > chain[i].AtNs {
			t.Errorf("after %+v comes %+v", chain[i], r)
		}
	}
	root := chain[len(chain)-1]
	if len(chain) < 3 || chain[0] != order[0] || root.Cause != 0 {
		t.Fatalf("a chain of %d, to %+v", len(chain), root)
	}
	below := map[uint64]bool{root.Step: true}
	for _, r := range traced(t, "--effects", fmt.Sprint(root.Step), "--limit", "100000")[1:] {
		if !below[r.Cause] {
			t.Errorf("%+v stands before its cause", r)
		}
		below[r.Step] = true
	}
	if !below[order[0].Step] {
		t.Error("the order is no effect of its cause")
	}
}

func TestEffectsAreATreeWithABound(t *testing.T) {
	root := fmt.Sprint(traced(t, "--kind", "deliver", "--match", "Committed", "--limit", "1")[0].Step)
	got := call(t, "", "trace", tiny, "--effects", root, "--limit", "5")
	if got.code != exitKept || strings.Count(got.out, "\n") != 5 || !strings.HasPrefix(got.err, "and ") || !strings.HasSuffix(got.err, " more follow; --limit shows more of them\n") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestTraceSaysWhatItCannotDo(t *testing.T) {
	cases := map[string]struct {
		args []string
		err  string
	}{
		"no such kind":        {[]string{"--kind", "delivered"}, "--kind delivered: want one or several of deliver, send, "},
		"no such form":        {[]string{"--format", "xml"}, "--format xml: want text or json"},
		"less than nothing":   {[]string{"--limit", "-1"}, "--limit -1: want a number of records, or 0 for all"},
		"a step beyond":       {[]string{"--cause", "100000000"}, "there is no step 100000000: the run has "},
		"effects of nothing":  {[]string{"--effects", "100000000"}, "there is no step 100000000: the run has "},
		"causes of a member":  {[]string{"--cause", "5", "--member", "m1"}, "[cause member]"},
		"causes and effects":  {[]string{"--cause", "5", "--effects", "5"}, "[cause effects]"},
		"backwards":           {[]string{"--from", "5s", "--to", "4s"}, "want from <= to"},
		"no such job, a note": {[]string{"--job", "no-such-job"}, "is as asked for"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", append([]string{"trace", tiny}, c.args...)...)
			note := strings.HasSuffix(name, "a note")
			if (got.code == exitUsage) == note || got.out != "" || !strings.Contains(got.err, c.err) {
				t.Errorf("exit code %d\nout: %s\nerr: %s", got.code, got.out, got.err)
			}
		})
	}
}
