package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
	"orrery/sim"
	"orrery/sim/promise"
	"orrery/sim/scenario"
	"orrery/store"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

const ms = time.Millisecond

// pageOf draws a run that was made up.
func pageOf(t testing.TB, r *sim.Result, trace *Recorder) string {
	t.Helper()
	page, err := Page(Run{Scenario: &scenario.Scenario{Name: "made-up"}, Result: r, Trace: trace, Title: "made-up", Word: "kept", Good: true, Again: "sim run made-up"})
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// recorded is a recorder that was told of records.
func recorded(max int, records ...sim.Record) *Recorder {
	c := NewRecorder()
	c.max = max
	for _, r := range records {
		c.Take(r)
	}
	return c
}

// small is a run with one of everything that is drawn.
func small() (*sim.Result, *Recorder) {
	attempt := &orrerypb.AttemptRef{Execution: 7, Slot: 0, N: 1, Fence: 70}
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	due := start.Add(time.Second).UnixNano()
	h := &promise.History{
		Start: start, End: 10 * time.Second, Healed: 9 * time.Second,
		Members:  []promise.Member{{Name: "m1", Server: true}, {Name: "m2", Tags: map[string]string{"role": "web", "disk": "ssd"}}},
		Requests: []promise.Request{{Client: "c1"}},
		Leaders:  []promise.Leadership{{Member: "m1", Term: 1, From: 400 * ms, To: -1}},
		Crashes:  []promise.Crash{{Member: "m1", At: 5 * time.Second}, {Member: "m2", At: 8 * time.Second, PowerLost: true}, {Member: "m2", At: 9 * time.Second}},
		Panics:   []promise.Panic{{Member: "m1", At: 5 * time.Second, Actor: "chain", Reason: "a bug"}},
		Faults: []promise.Fault{
			{Verb: "partition", Text: "partition m2 > m1", Members: []string{"m2", "m1"}, From: 2 * time.Second, To: 3 * time.Second},
			{Verb: "drop", Text: "drop 2%", From: 0, To: -1},
			{Verb: "leave", Text: "leave m2", Members: []string{"m2"}, From: 9 * time.Second, To: 10 * time.Second},
		},
		Commits: []promise.Commit{
			{At: 500 * ms, Entry: &orrerypb.Entry{Commands: []*orrerypb.Command{{Body: &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: &orrerypb.Job{Name: "a", Schedule: "@every 1s"}}}}}},
				Events: []*orrerypb.Event{{Kind: store.EventJobPut, Job: "a"}}},
			{At: 1001 * ms, Events: []*orrerypb.Event{
				{Kind: store.EventExecutionCreated, Job: "a", Execution: 7, DueNs: due},
				{Kind: store.EventAttemptAssigned, Job: "a", Execution: 7, Attempt: attempt, Member: "m2"},
			}},
			{At: 3 * time.Second, Events: []*orrerypb.Event{
				{Kind: store.EventAttemptEnded, Job: "a", Execution: 7, Attempt: attempt, Outcome: uint32(orrery.OutcomeFailed), Reason: "exit"},
				{Kind: store.EventSkipped, Job: "a", DueNs: due + int64(time.Second), SkippedToNs: due + 2*int64(time.Second), Reason: "misfire"},
			}},
		},
		Processes: []promise.Process{
			{Member: "m2", Attempt: orrery.AttemptID{Execution: 7, N: 1}, Fence: 70, Job: "a", Started: 1010 * ms, Ended: 2 * time.Second, Result: orrery.Result{Reason: orrery.ReasonExit, ExitCode: 3}},
			{Member: "m1", Attempt: orrery.AttemptID{Execution: 7, N: 1}, Fence: 70, Job: "a", Started: 1500 * ms, Ended: -1},
		},
	}
	r := &sim.Result{
		Seed: 1<<63 + 1, Hash: "0123", Virtual: h.End, Probes: map[string]uint64{"b": 2, "a": 1}, History: h,
		Verdicts: []promise.Verdict{{Promise: "calm", Judged: 1}, {Promise: "no-overlap", Judged: 2, Evidence: []promise.Evidence{{At: h.End, Text: "a <b> & c overlap"}}}},
	}
	return r, recorded(100,
		sim.Record{Step: 1, At: 0, Kind: sim.Noted, Member: "m1", What: "started, incarnation 1"},
		sim.Record{Step: 2, At: 1 * ms, Kind: sim.Told, Member: "c1", Actor: "m1", What: "asks", Data: &orrerypb.Heartbeat{Member: "m2"}},
		sim.Record{Step: 3, Cause: 2, At: 1 * ms, Kind: sim.Sent, Member: "c1", Actor: "m1", What: "ClientRequest"},
		sim.Record{Step: 4, Cause: 3, At: 2 * ms, Kind: sim.Arrived, Member: "m1", Actor: "c1", What: "ClientRequest"},
		sim.Record{Step: 5, Cause: 4, At: 2 * ms, Kind: sim.Delivered, Member: "m1", Actor: "gateway", What: "ClientRequest", Data: &orrerypb.Heartbeat{Member: "m2"}},
		sim.Record{Step: 6, At: 2 * time.Second, Kind: sim.Faulted, What: "partition m2 > m1"},
		sim.Record{Step: 7, At: 6 * time.Second, Kind: sim.Noted, Member: "m1", What: "started, incarnation 2"},
	)
}

// TestSmallRun holds what is packed of a run, in a form that a person can read.
func TestSmallRun(t *testing.T) {
	u := unpack(t, pageOf(t, first(small()), second(small())))
	drawn, err := json.MarshalIndent(u.picture, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := string(drawn) + "\n"
	for _, r := range u.records {
		got += fmt.Sprintf("%d %d %v %v %q %q %q %v\n", r.Step, r.Cause, r.At, r.Kind, r.Member, r.Actor, r.What, r.Data)
	}
	const file = "testdata/small.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the picture differs (-want +got):\n%s", diff)
	}
}

func first(r *sim.Result, _ *Recorder) *sim.Result { return r }
func second(_ *sim.Result, c *Recorder) *Recorder  { return c }

// TestColumnsKeepRecords holds that what is packed is what was recorded, whatever it was.
func TestColumnsKeepRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []sim.Record
		names := rapid.SampledFrom([]string{"", "m1", "m2", "c1", "größer"})
		step, at := uint64(0), time.Duration(0)
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			step += rapid.Uint64Range(1, 1<<40).Draw(t, "step")
			at += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "at")).Truncate(time.Microsecond)
			r := sim.Record{Step: step, At: at, Kind: sim.Kind(rapid.IntRange(1, int(sim.Told)).Draw(t, "kind"))}
			r.Cause = rapid.Uint64Range(0, step-1).Draw(t, "cause")
			r.Member, r.Actor, r.What = names.Draw(t, "member"), names.Draw(t, "actor"), names.Draw(t, "what")
			if rapid.Bool().Draw(t, "told") {
				r.Data = text(rapid.StringMatching(`[a-zé=]{1,6}`).Draw(t, "data"))
			}
			records = append(records, r)
		}
		result := &sim.Result{History: &promise.History{}}
		p := newPicture(Run{Result: result})
		plain, _, err := payload(p, Run{Result: result, Trace: recorded(1000, records...)})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(records)
		for i, r := range want {
			if want[i].Data = nil; r.Text() != "" {
				want[i].Data = r.Text()
			}
		}
		if diff := cmp.Diff(want, readBack(plain).records); diff != "" {
			t.Fatalf("records differ (-recorded +read):\n%s", diff)
		}
	})
}

// text is a message that is its own text.
type text string

func (t text) String() string { return string(t) }

func TestEqualRunsGiveEqualPages(t *testing.T) {
	s, err := scenario.Parse("t", []byte("members 1 server, 1 agent\nlasts 20s\njob a every 2s takes 500ms\nat 5s crash m2 for 3s\npromise calm within 10s of heal"))
	if err != nil {
		t.Fatal(err)
	}
	var pages [2][]byte
	for i := range pages {
		trace := NewRecorder()
		r, err := sim.Run(s, 4, sim.Options{Watch: trace.Take})
		if err != nil {
			t.Fatal(err)
		}
		if pages[i], err = Page(Run{Scenario: s, Result: r, Trace: trace, Title: "t"}); err != nil {
			t.Fatal(err)
		}
		if u := unpack(t, string(pages[i])); len(u.records) != u.picture.Records || len(u.records) < 100 || len(u.picture.Bars) < 5 {
			t.Errorf("%d records and %d attempts: the run is not in the page", len(u.records), len(u.picture.Bars))
		}
	}
	if !bytes.Equal(pages[0], pages[1]) {
		t.Error("two runs of one seed gave two pages")
	}
}

// TestDueTimesWithoutDecision holds that a due time is drawn as one that nobody decided
// where a scheduler forgets it, and nowhere else: clients write and toggle jobs all the time.
func TestDueTimesWithoutDecision(t *testing.T) {
	const text = "members 3 servers\nlasts 1m\njob a every 3s takes 100ms\njob b cron \"*/7 * * * * *\" takes 1s overlap forbid\n" +
		"clients 3 put, toggle, delete, run rate 60/m\nat 20s crash leader for 5s\npromise calm within 30s of heal\n"
	cases := map[string]struct {
		more string
		some bool
	}{
		"all are decided": {"", false},
		"none is":         {"knob forget-due\nmust-break every-due-decided-once", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Parse("t", []byte(text+c.more))
			if err != nil {
				t.Fatal(err)
			}
			r, err := sim.Run(s, 1, sim.Options{})
			if err != nil {
				t.Fatal(err)
			}
			u, missed := unpack(t, pageOf(t, r, NewRecorder())), 0
			for _, d := range u.picture.Dues {
				if d.Decided < 0 {
					missed++
				}
			}
			if len(u.picture.Dues) < 20 || missed > 0 != c.some {
				t.Errorf("%d of %d due times have no decision", missed, len(u.picture.Dues))
			}
		})
	}
}

// TestOddRuns holds that whatever a run came to gives a page that reads back.
func TestOddRuns(t *testing.T) {
	cases := map[string]struct {
		result sim.Result
		want   string
	}{
		"no records":           {sim.Result{}, "made-up"},
		"one member":           {sim.Result{History: &promise.History{Members: []promise.Member{{Name: "m1", Server: true}}}}, "made-up"},
		"a panic":              {sim.Result{History: &promise.History{Members: []promise.Member{{Name: "m1"}}, Panics: []promise.Panic{{Member: "m1"}}, Crashes: []promise.Crash{{Member: "m1"}}}}, "made-up"},
		"a leader nobody has":  {sim.Result{History: &promise.History{Leaders: []promise.Leadership{{Member: "m9", To: -1}}}}, "made-up"},
		"a fault of strangers": {sim.Result{History: &promise.History{Faults: []promise.Fault{{Verb: "crash", Text: "crash m9", Members: []string{"m9"}}}}}, "made-up"},
		"evidence at the end":  {sim.Result{Virtual: time.Minute, Verdicts: []promise.Verdict{{Promise: "calm", Evidence: []promise.Evidence{{At: time.Minute, Text: "not calm"}}}}}, `data-evidence="60000000"`},
		"evidence before it began, with signs of HTML": {sim.Result{Verdicts: []promise.Verdict{{Promise: "calm", Evidence: []promise.Evidence{{At: -time.Second, Text: `</script><script>alert("x")`}}}}},
			`&lt;/script&gt;&lt;script&gt;alert(&#34;x&#34;)`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.result.History == nil {
				c.result.History = &promise.History{}
			}
			page := pageOf(t, &c.result, NewRecorder())
			unpack(t, page)
			if !strings.Contains(page, c.want) || strings.Contains(page, `<script>alert`) {
				t.Errorf("the page does not hold %s as text", c.want)
			}
		})
	}
}

// TestRecorderKeepsWhatTellsMost holds the order in which a run that is too long loses.
func TestRecorderKeepsWhatTellsMost(t *testing.T) {
	kinds := []sim.Record{
		{Kind: sim.Sent, What: "gossip packet"}, {Kind: sim.Arrived, What: "raft frame"}, {Kind: sim.Delivered, What: "HeartbeatGranted"},
		{Kind: sim.Delivered, What: "Committed"}, {Kind: sim.Sent, What: "RunAttempt"}, {Kind: sim.Delivered, What: "RunAttempt"}, {Kind: sim.Noted, What: "crashed"},
	}
	var records []sim.Record
	for i := range 70 {
		r := kinds[i%len(kinds)]
		r.Step, r.At = uint64(i+1), time.Duration(i)*time.Second
		records = append(records, r)
	}
	cases := map[string]struct {
		max, kept int
		left      string
	}{
		"all fit":          {70, 70, ""},
		"gossip goes":      {60, 60, "10 of the gossip packets"},
		"then raft":        {59, 50, "10 of the gossip packets; 10 of the raft frames"},
		"to what is told":  {10, 10, "10 of the gossip packets; 10 of the raft frames; 10 of the heartbeats; 10 of the steps of replication; 10 of the other frames; 10 of the messages within members"},
		"and then the old": {6, 4, "10 of the gossip packets; 10 of the raft frames; 10 of the heartbeats; 10 of the steps of replication; 10 of the other frames; 10 of the messages within members; 6 events before 00:00:48.000"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := recorded(c.max, records...)
			if left := strings.Join(got.leftOut(), "; "); len(got.records) != c.kept || left != c.left {
				t.Errorf("kept %d, want %d; left out %q, want %q", len(got.records), c.kept, left, c.left)
			}
			if !slices.IsSortedFunc(got.records, func(a, b sim.Record) int { return int(a.Step) - int(b.Step) }) {
				t.Error("what is kept is not in order")
			}
		})
	}
}

// TestMessagesAreBounded holds that what tells most keeps its text, and that no message
// takes the page for itself.
func TestMessagesAreBounded(t *testing.T) {
	records := []sim.Record{
		{Kind: sim.Delivered, What: "Committed", Data: text("applied")},
		{Kind: sim.Noted, What: "process", Data: text("began")},
		{Kind: sim.Noted, What: "process", Data: text(strings.Repeat("é", maxMessage))},
	}
	texts, left := messages(records, 10)
	if texts[0] != "" || texts[1] != "began" || left != 1 {
		t.Errorf("texts %.20q, %d left out: want the one that tells least to be left out", texts, left)
	}
	if want := fmt.Sprintf("é… (%d bytes in all)", 2*maxMessage); !strings.HasSuffix(texts[2], want) {
		t.Errorf("a long message ends in %q, want %q", texts[2][len(texts[2])-30:], want)
	}
}

// TestPageIsBounded holds the bound that Page states, by records that cannot be packed
// well: a million take less than 40 MB beside the texts, which have a bound of their own.
func TestPageIsBounded(t *testing.T) {
	const n = 50_000
	trace := recorded(n)
	h := &promise.History{}
	for i := range 1000 {
		h.Members = append(h.Members, promise.Member{Name: fmt.Sprint("m", i)})
	}
	state, step, at := uint64(1), uint64(0), time.Duration(0)
	draw := func(below uint64) uint64 {
		state = state*6364136223846793005 + 1442695040888963407
		return (state >> 33) % below
	}
	for range n {
		step += 1 + draw(100)
		at += time.Duration(draw(1e7))
		trace.Take(sim.Record{
			Step: step, Cause: draw(step), At: at, Kind: sim.Kind(1 + draw(8)), Member: h.Members[draw(1000)].Name,
			Actor: h.Members[draw(1000)].Name, What: fmt.Sprint(draw(1e6)),
		})
	}
	page := pageOf(t, &sim.Result{History: h, Virtual: at}, trace)
	if each := len(page) / n; each*maxRecords > 40_000_000 {
		t.Errorf("%d bytes a record, %d MB for %d", each, each*maxRecords/1e6, maxRecords)
	}
}
