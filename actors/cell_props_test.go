package actors

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// drawn takes the cell's choices from rapid, which shrinks them.
func drawn(t *rapid.T) func(int) int {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
}

func shell(name, schedule string) *orrerypb.Job {
	return wire.FromJob(orrery.Job{
		Name: name, Schedule: schedule, Executor: "shell",
		ExecutorConfig: map[string]string{"command": "true"},
	})
}

func putJob(job *orrerypb.Job) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_PutJob{PutJob: &orrerypb.PutJobRequest{Job: job}}}
}

func runJob(name string) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_Run{Run: &orrerypb.RunRequest{Name: name}}}
}

func pause(paused bool) *orrerypb.Request {
	return &orrerypb.Request{Body: &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: paused}}}
}

// answer is the one answer to a request; nil: there is none yet.
func (c *cell) answer(ref uint64) *orrerypb.Answer {
	if len(c.answers[ref]) > 1 {
		c.breakPromise("request %d was answered %d times", ref, len(c.answers[ref]))
	}
	if len(c.answers[ref]) == 0 {
		return nil
	}
	return c.answers[ref][0].GetAnswer()
}

// must makes a request under a leader, and expects that it is done.
func (c *cell) must(request *orrerypb.Request) {
	ref := c.ask("m1", request)
	c.settle(time.Second)
	if answer := c.answer(ref); answer == nil || answer.GetCode() != "" {
		panic(fmt.Sprintf("request %v was answered %v", request, answer))
	}
}

// dueRun lives through n things and then checks that each due time was decided once.
func dueRun(draw func(int) int, n int, knobs ...string) error {
	c := newCell(draw, knobs...)
	defer c.state.Close()
	often, all := shell("often", "@every 1s"), shell("all", "@every 7s")
	all.Misfire = uint32(orrery.MisfireAll)
	seldom := shell("seldom", "*/30 * * * * *")
	seldom.Overlap = uint32(orrery.OverlapSkip)
	for _, job := range []*orrerypb.Job{often, all, seldom} {
		c.must(putJob(job))
	}
	for range n {
		switch c.draw(20) {
		case 0:
			c.ask("m1", pause(c.draw(2) == 0))
		default:
			c.act()
		}
	}
	c.settle(20 * time.Second)
	c.must(pause(false))
	c.settle(3 * time.Second)
	for _, name := range []string{"often", "all", "seldom"} {
		c.checkDecided(name)
	}
	return c.broken
}

// checkDecided looks for due times of a job, which was never edited, without a decision.
func (c *cell) checkDecided(name string) {
	record, state := c.state.Job(name)
	job := wire.ToJob(record.GetJob())
	schedule, err := orrery.ParseSchedule(job.ScheduleSpec(c.state.Config(), wire.Time(record.GetCreatedNs())))
	if err != nil {
		panic(err)
	}
	grain := time.Second // the settled cell may be that late
	for due := schedule.Next(wire.Time(record.GetCreatedNs())); due.Before(c.now().Add(-grain)); due = schedule.Next(due) {
		if !c.covers(record.GetUid(), due) {
			c.breakPromise("job %s: due time %v was never decided, at %v; its head is %v", name, due, c.now(), wire.Time(state.GetNextNs()))
			return
		}
	}
}

func (c *cell) covers(uid uint64, due time.Time) bool {
	for _, d := range c.decisions {
		if d.uid == uid && !due.Before(d.from) && !due.After(d.to) {
			return true
		}
	}
	return false
}

func TestEveryDueTimeIsDecidedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := dueRun(drawn(t), rapid.IntRange(0, 150).Draw(t, "things")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBrokenRulesOfDueTimesAreNoticed(t *testing.T) {
	for _, knob := range []string{KnobForgetDue, KnobFireEarly, KnobNeverRetryProposal, KnobDkron998, KnobChronos511} {
		t.Run(knob, func(t *testing.T) {
			noticed(t, func(draw func(int) int) error { return dueRun(draw, 100, knob) })
		})
	}
}

// noticed fails unless one run of a few breaks its promise.
func noticed(t *testing.T, run func(draw func(int) int) error) {
	t.Helper()
	for seed := range uint64(30) {
		if err := run(seeded(seed)); err != nil {
			t.Logf("seed %d: %v", seed, err)
			return
		}
	}
	t.Fatal("30 runs with the rule broken broke no promise")
}

// writeRun makes writes at both members while things go wrong, and checks what clients
// were told against the state.
func writeRun(draw func(int) int, n int, knobs ...string) error {
	c := newCell(draw, knobs...)
	defer c.state.Close()
	c.must(putJob(shell("runner", "@manually")))
	puts, runs := map[uint64]string{}, []uint64{}
	for i := range n {
		member := []string{"m1", "m2"}[c.draw(2)]
		switch c.draw(10) {
		case 0:
			name := fmt.Sprint("job", i)
			puts[c.ask(member, putJob(shell(name, "@manually")))] = name
		case 1:
			request := runJob("runner")
			if c.draw(2) == 0 {
				request.RequestId, request.IssuedNs = fmt.Sprint("run", i), c.now().UnixNano()
			}
			runs = append(runs, c.ask(member, request))
		default:
			c.act()
		}
	}
	c.settle(requestDeadline + time.Second)
	c.checkPuts(puts)
	c.checkRuns(runs)
	return c.broken
}

// checkPuts: done is there, not done is not, unknown is either.
func (c *cell) checkPuts(puts map[uint64]string) {
	for ref, name := range puts {
		record, _ := c.state.Job(name)
		answer := c.answer(ref)
		switch {
		case answer == nil:
			c.breakPromise("the write of %s was never answered", name)
		case answer.GetCode() == "" && record == nil:
			c.breakPromise("%s was acknowledged and is not there", name)
		case answer.GetCode() != "" && answer.GetCode() != string(orrery.Unknown) && record != nil:
			c.breakPromise("the write of %s was answered %v, and %s is there", name, answer, name)
		}
	}
}

// checkRuns: as many executions as were promised, or up to as many more as nobody knows.
func (c *cell) checkRuns(runs []uint64) {
	done, unknown, created := 0, 0, 0
	for _, ref := range runs {
		switch answer := c.answer(ref); {
		case answer == nil:
			c.breakPromise("a run was never answered")
		case answer.GetCode() == "":
			done++
		case answer.GetCode() == string(orrery.Unknown):
			unknown++
		}
	}
	for _, e := range c.effects {
		if e.GetKind() == store.EventExecutionCreated && orrery.CauseKind(e.GetCause()) == orrery.CauseManual {
			created++
		}
	}
	if created < done || created > done+unknown {
		c.breakPromise("%d runs were acknowledged and %d are unknown, %d were created", done, unknown, created)
	}
}

func TestEachRequestGetsOneAnswerThatIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := writeRun(drawn(t), rapid.IntRange(0, 200).Draw(t, "things")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBrokenRulesOfAnswersAreNoticed(t *testing.T) {
	for _, knob := range []string{KnobAckBeforeCommitWrite, KnobAnswerUnavailableForUnknown, KnobRetryAsNew, KnobProposeInOldTerm} {
		t.Run(knob, func(t *testing.T) {
			noticed(t, func(draw func(int) int) error { return writeRun(draw, 200, knob) })
		})
	}
}
