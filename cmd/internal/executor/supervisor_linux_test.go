package executor_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/executor"
)

func TestFenceStartsOnce(t *testing.T) {
	m := newMember(t)
	mark := filepath.Join(t.TempDir(), "mark")
	for range 3 {
		m.Start(startOf(1, "echo x >> "+mark))
	}
	m.wait(1)
	m.Start(startOf(1, "echo x >> "+mark))
	m.Close()
	m = boot(t, m.dir, "r1")
	m.run(startOf(1, "echo x >> "+mark)) // known until forgotten: answered again
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("%q", b)
	}
}

// An agent that is killed leaves its attempts running, and the next finds them.
func TestAttemptsOutliveTheAgent(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	agent := exec.Command(os.Args[0], "agent", dir)
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "output of the second", func() bool {
		names, _ := filepath.Glob(filepath.Join(dir, "spool", "2.*"))
		return len(names) == 1
	})
	_ = agent.Process.Kill()
	_ = agent.Wait()

	m := boot(t, dir, "r1")
	if len(m.found) != 2 || m.found[0].Ended != nil || m.found[0].Run.GetJob() != "backup" {
		t.Fatal(m.found)
	}
	if m.Count() < 1 || !m.Running(idOf(1)) {
		t.Error("what was found running does not count as running")
	}
	if m.found[1].Ended == nil {
		m.wait(2)
	} else if string(m.found[1].Ended.Output) != "done\n" {
		t.Error(m.found[1].Ended)
	}
	m.End(1, orrery.ReasonUser)
	if r := m.wait(1); r.Reason != orrery.ReasonUser {
		t.Error(r)
	}
}

func TestResultsAreFoundUntilForgotten(t *testing.T) {
	m := newMember(t)
	for fence := range uint64(3) {
		m.run(startOf(fence+1, "echo $ORRERY_FENCE; exit 5"))
	}
	m.Forget(2)
	m.Close()
	again := boot(t, m.dir, "r1")
	if len(again.found) != 2 {
		t.Fatal(again.found)
	}
	for i, fence := range []string{"1", "3"} {
		if r := again.found[i].Ended; r == nil || r.ExitCode != 5 || string(r.Output) != fence+"\n" {
			t.Error(fence, r)
		}
	}
	again.Forget(1)
	again.Forget(3)
	again.Close()
	eventually(t, "the end of a supervisor of no use", func() bool { return supervisorPID(m.dir) == 0 })
}

// The results of a supervisor that is killed are found by the next; what ran is gone, down
// to the grandchildren, and told to be.
func TestSupervisorIsKilled(t *testing.T) {
	m := newMember(t)
	pids := t.TempDir()
	m.run(startOf(1, "exit 4"))
	m.Start(startOf(2, fmt.Sprintf("sh -c 'sleep 1000 & echo $! > %s/grandchild; wait' & echo $$ > %s/child; wait", pids, pids)))
	child, grandchild := readPID(t, pids+"/child"), readPID(t, pids+"/grandchild")
	m.waitStarted(2)
	before := supervisorPID(m.dir)
	_ = syscall.Kill(before, syscall.SIGKILL)
	if r := m.wait(2); r.Reason != orrery.ReasonRestarted || r.Succeeded {
		t.Error(r)
	}
	waitGone(t, child)
	waitGone(t, grandchild)
	if after := supervisorPID(m.dir); after == before || after == 0 {
		t.Error("no other supervisor")
	}
	if n := m.ends()[1]; n != 1 {
		t.Errorf("a known end was told %d times", n)
	}
	if r := m.run(startOf(3, "true")); !r.Succeeded {
		t.Error(r)
	}
	m.Close()
	if again := boot(t, m.dir, "r1"); len(again.found) != 2 {
		t.Error(again.found) // 1 and 3; nobody knows of 2 any more
	}
}

// TERM ends what runs, and then the supervisor: a machine that shuts down.
func TestSupervisorIsTerminated(t *testing.T) {
	m := newMember(t)
	m.Start(startOf(1, "sleep 1000"))
	m.waitStarted(1)
	before := supervisorPID(m.dir)
	_ = syscall.Kill(before, syscall.SIGTERM)
	if r := m.wait(1); r.Reason != orrery.ReasonShutdown {
		t.Error(r)
	}
	// What is ordered of one that ends may have begun, for all that the agent knows.
	eventually(t, "another supervisor", func() bool { pid := supervisorPID(m.dir); return pid != 0 && pid != before })
	if r := m.run(startOf(2, "true")); !r.Succeeded {
		t.Error(r)
	}
}

func TestLease(t *testing.T) {
	m := newMember(t)
	leased := func(fence uint64, line string, grace time.Duration) actors.StartProcess {
		p := startOf(fence, line)
		p.Leased, p.Grace = true, grace
		return p
	}
	if r := m.run(leased(1, "true", time.Second)); r.Reason != orrery.ReasonCutOff || !r.Started.IsZero() {
		t.Error("without a lease", r)
	}
	m.SetLease(leaseIn(time.Hour))
	stubborn := "trap '' TERM; echo ready; while :; do sleep 0.05; done"
	m.Start(leased(2, "sleep 1000", 2*time.Second))
	m.Start(leased(3, stubborn, 2*time.Second))
	m.Start(startOf(4, "sleep 1000"))
	m.Start(leased(5, "sleep 1000", 2*time.Second))
	m.SetLeased(5, false)
	for fence := orrery.Fence(2); fence <= 5; fence++ {
		m.waitStarted(fence)
	}
	eventually(t, "the trap", func() bool { b, _ := m.Spool().Tail(idOf(3), 0, 10); return len(b) > 0 })
	end := time.Now().Add(3 * time.Second)
	m.SetLease(leaseIn(3 * time.Second))
	heeds, ignores := m.wait(2), m.wait(3)
	if heeds.Reason != orrery.ReasonCutOff || heeds.ExitCode != 128+15 {
		t.Error(heeds)
	}
	if ignores.Reason != orrery.ReasonCutOff || ignores.ExitCode != 128+9 || !heeds.Finished.Before(ignores.Finished) {
		t.Error(ignores)
	}
	if early := end.Sub(ignores.Finished); early > 10*time.Millisecond { // by clocks that need not go alike
		t.Errorf("KILL came %v before the end of the lease", early)
	}
	if !m.Running(idOf(4)) || !m.Running(idOf(5)) {
		t.Error("a process without a lease was ended by it")
	}
	m.SetLeased(5, true) // the lease is over
	if r := m.wait(5); r.Reason != orrery.ReasonCutOff {
		t.Error(r)
	}
}

// The lease ends what an agent left that is stopped or gone.
func TestLeaseWithoutAgent(t *testing.T) {
	m := newMember(t)
	m.SetLease(leaseIn(time.Hour))
	p := startOf(1, "sleep 1000")
	p.Leased, p.Grace = true, 100*time.Millisecond
	m.Start(p)
	m.waitStarted(1)
	m.SetLease(leaseIn(time.Second))
	m.Close()
	eventually(t, "the journal", func() bool { return journalHolds(t, m.dir, 1) })
	again := boot(t, m.dir, "r1")
	if len(again.found) != 1 || again.found[0].Ended == nil || again.found[0].Ended.Reason != orrery.ReasonCutOff {
		t.Error(again.found)
	}
}

// journalHolds asks as a new agent would.
func journalHolds(t *testing.T, dir string, ended int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	c, found, err := executor.Open(ctx, config(dir, "r1", func(any) {}))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	n := 0
	for _, f := range found {
		if f.Ended != nil {
			n++
		}
	}
	return n == ended
}

// What an agent asked for and is not found does not begin after the next has come.
func TestNothingBeginsForAFormerAgent(t *testing.T) {
	m := newMember(t)
	pid := supervisorPID(m.dir)
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	mark := filepath.Join(t.TempDir(), "mark")
	for fence := range uint64(50) {
		m.Start(startOf(fence+1, "echo x >> "+mark))
	}
	type opened struct {
		c     *executor.Client
		found []actors.ProcessFound
		err   error
	}
	done := make(chan opened, 1)
	go func() {
		cfg := config(m.dir, "r1", func(any) {})
		cfg.Incarnation = 2
		c, found, err := executor.Open(context.Background(), cfg)
		done <- opened{c, found, err}
	}()
	_ = syscall.Kill(pid, syscall.SIGCONT)
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	defer o.c.Close()
	// All that was found ends; then nobody may have written but they.
	again := len(o.found)
	eventually(t, "the end of what was found", func() bool { return journalHoldsFound(t, m.dir, again) })
	b, _ := os.ReadFile(mark)
	if n := strings.Count(string(b), "x"); n != again {
		t.Errorf("%d began, %d were found", n, again)
	}
	// The former agent does not come back.
	m.Start(startOf(99, "echo x >> "+mark))
	if _, ended := m.result(99); ended {
		t.Error("a former agent is heard")
	}
}

func journalHoldsFound(t *testing.T, dir string, ended int) bool {
	t.Helper()
	cfg := config(dir, "r1", func(any) {})
	cfg.Incarnation = 2
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	c, found, err := executor.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	return !slices.ContainsFunc(found, func(f actors.ProcessFound) bool { return f.Ended == nil })
}

func TestIdleSupervisorOfAnotherReleaseIsReplaced(t *testing.T) {
	m := newMember(t)
	first := supervisorPID(m.dir)
	m.Start(startOf(1, "sleep 1000"))
	m.waitStarted(1)
	m.Close()
	m = boot(t, m.dir, "r2") // it is needed still
	if supervisorPID(m.dir) != first || len(m.found) != 1 {
		t.Error("a supervisor was replaced that held an attempt")
	}
	m.End(1, orrery.ReasonUser)
	m.wait(1)
	m.Forget(1)
	m.Start(startOf(2, "true")) // orders are carried out one after the other: the one before too
	m.wait(2)
	m.Forget(2)
	m.Close()
	m = boot(t, m.dir, "r3")
	if supervisorPID(m.dir) == first {
		t.Error("an idle supervisor of another release was kept")
	}
	if r := m.run(startOf(3, "true")); !r.Succeeded {
		t.Error(r)
	}
}

// A program that was replaced under its agent starts supervisors of another release.
func TestFreshSupervisorOfAnotherRelease(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { stopSupervisor(t, dir) })
	m := boot(t, dir, "r1", func(c *executor.Config) { c.Command[3] = "r2" })
	if r := m.run(startOf(1, "true")); !r.Succeeded {
		t.Error(r)
	}
}

func TestOneSupervisorForADirectory(t *testing.T) {
	m := newMember(t)
	err := executor.Supervise(context.Background(), executor.SuperviseOptions{Dir: m.dir})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s has a supervisor already: pid %d", m.dir, supervisorPID(m.dir))) {
		t.Error(err)
	}
}

func TestSupervisorThatCannotBeStarted(t *testing.T) {
	cfg := config(t.TempDir(), "r1", func(any) {})
	cfg.Command = []string{"/bin/sh", "-c", "echo no disk >&2; exit 3"}
	_, _, err := executor.Open(context.Background(), cfg)
	if err == nil || !strings.Contains(err.Error(), "supervisor ends at once (exit status 3): no disk") {
		t.Error(err)
	}
}

func TestLongDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopSupervisor(t, dir) })
	if r := boot(t, dir, "r1").run(startOf(1, "true")); !r.Succeeded {
		t.Error(r)
	}
}

func TestManyQuickProcesses(t *testing.T) {
	m := newMember(t)
	const n = 500
	for fence := range uint64(n) {
		m.Start(startOf(fence+1, "exit $((ORRERY_FENCE % 7))"))
	}
	eventually(t, "all ends", func() bool { return len(m.ends()) == n })
	for fence := range orrery.Fence(n) {
		if r, _ := m.result(fence + 1); r.ExitCode != int(fence+1)%7 {
			t.Errorf("%d: %v", fence+1, r)
		}
	}
	if m.Count() != 0 {
		t.Error(m.Count(), "are said to run")
	}
}

func TestEndAll(t *testing.T) {
	m := newMember(t)
	for fence := range uint64(5) {
		m.Start(startOf(fence+1, "sleep 1000"))
	}
	m.EndAll(orrery.ReasonShutdown)
	eventually(t, "the ends", func() bool { return len(m.ends()) == 5 && m.Count() == 0 })
	for fence := range orrery.Fence(5) {
		if r, _ := m.result(fence + 1); r.Reason != orrery.ReasonShutdown {
			t.Error(r)
		}
	}
}

func TestSupervisorsFilesAreItsOwn(t *testing.T) {
	m := newMember(t)
	m.run(startOf(1, "echo x"))
	for _, path := range []string{"supervisor", "spool"} {
		if info, err := os.Stat(filepath.Join(m.dir, path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Error(path, info.Mode(), err)
		}
	}
	for _, path := range []string{"supervisor/socket", "supervisor/journal", "supervisor/lock", "spool/1.0.1"} {
		if info, err := os.Stat(filepath.Join(m.dir, path)); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(path, err)
		}
	}
}

// TestPortsPromises gives orders at random to a real supervisor whose agent is reopened
// and which is killed, and holds what users of the port rely on.
func TestPortsPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	fewer(t, 15) // each starts several supervisors
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "m")
		if err != nil {
			t.Fatal(err)
		}
		d := &drive{t: t, dir: dir, marks: filepath.Join(dir, "marks"), told: map[orrery.Fence]bool{}, over: map[orrery.Fence]bool{}}
		if err := os.Mkdir(d.marks, 0o700); err != nil {
			t.Fatal(err)
		}
		d.m = boot(t, dir, "r1")
		defer stopSupervisor(t, dir)
		defer func() { d.m.Close() }()
		fence := func() orrery.Fence { return orrery.Fence(rapid.IntRange(1, max(1, d.fences)).Draw(rt, "fence")) }
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"start", "start", "start", "again", "end", "lease", "leased", "forget", "reopen", "kill"}).Draw(rt, "what") {
			case "start":
				d.fences++
				line := rapid.SampledFrom([]string{"exit 0", "exit 1", "sleep 1000", "trap '' TERM; sleep 1000 & wait; sleep 1000"}).Draw(rt, "line")
				p := d.order(orrery.Fence(d.fences), line)
				p.Leased = rapid.Bool().Draw(rt, "leased")
				d.m.Start(p)
			case "again":
				if f := fence(); d.fences > 0 && !d.over[f] {
					d.m.Start(d.order(f, "exit 9"))
				}
			case "end":
				d.m.End(fence(), orrery.ReasonUser)
			case "lease":
				d.m.SetLease(leaseIn(time.Duration(rapid.IntRange(-1000, 3000).Draw(rt, "ms")) * time.Millisecond))
			case "leased":
				d.m.SetLeased(fence(), rapid.Bool().Draw(rt, "on"))
			case "forget":
				f := fence()
				if _, ended := d.m.result(f); ended && !d.over[f] {
					d.over[f] = true
					d.m.Forget(f)
				}
			case "reopen":
				d.reopen(rt)
			case "kill":
				if rapid.IntRange(0, 3).Draw(rt, "really") == 0 {
					if pid := supervisorPID(dir); pid != 0 { // 0 would be all of the test's own group
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
			}
		}
		d.calm(rt)
	})
}

// fewer draws n cases, unless the command line says how many.
func fewer(t *testing.T, n int) {
	checks := flag.Lookup("rapid.checks")
	if was := checks.Value.String(); was == checks.DefValue {
		_ = checks.Value.Set(strconv.Itoa(n))
		t.Cleanup(func() { _ = checks.Value.Set(was) })
	}
}

// drive is a member and what was done with it.
type drive struct {
	t      *testing.T
	m      *member
	dir    string
	marks  string
	fences int
	told   map[orrery.Fence]bool
	over   map[orrery.Fence]bool // forgotten, or lost and never to be asked for again
}

// order leaves a mark for each process that begins.
func (d *drive) order(fence orrery.Fence, line string) actors.StartProcess {
	p := startOf(uint64(fence), fmt.Sprintf("echo $$ >> %s/%d; %s", d.marks, fence, line))
	p.Grace = 100 * time.Millisecond
	return p
}

// reopen is the agent's end and next start.
func (d *drive) reopen(t *rapid.T) {
	d.m.Close()
	d.hear()
	d.m = boot(d.t, d.dir, "r1")
	last := orrery.Fence(0)
	lost := map[orrery.Fence]bool{} // not found: the Executor's own notes tell that they are over
	for fence := range d.fences {
		lost[orrery.Fence(fence+1)] = true
	}
	for _, f := range d.m.found {
		fence := orrery.Fence(f.Run.GetAttempt().GetFence())
		if fence <= last {
			t.Fatalf("found %d after %d", fence, last)
		}
		last = fence
		delete(lost, fence)
		if d.told[fence] && f.Ended == nil {
			t.Fatalf("%d was told to have ended and is found running", fence)
		}
		if f.Ended != nil {
			d.told[fence] = true
		}
	}
	maps.Copy(d.told, lost)
	maps.Copy(d.over, lost)
}

// hear notes whose end was told.
func (d *drive) hear() {
	for fence := range d.m.ends() {
		d.told[fence] = true
	}
}

// calm ends everything, and holds that each fence began at most once, that the end of each
// that is known was told, and that nothing runs.
func (d *drive) calm(t *rapid.T) {
	d.m.EndAll(orrery.ReasonUser)
	eventually(d.t, "calm", func() bool { return d.m.Count() == 0 })
	d.reopen(t)
	if n := d.m.Count(); n != 0 {
		t.Fatalf("%d run still, and were told to have ended", n)
	}
	for fence := range d.fences {
		b, _ := os.ReadFile(filepath.Join(d.marks, fmt.Sprint(fence+1)))
		began := strings.Fields(string(b))
		if !d.told[orrery.Fence(fence+1)] {
			t.Fatalf("the end of %d was never told", fence+1)
		}
		if len(began) > 1 {
			t.Fatalf("%d began %d times", fence+1, len(began))
		}
		for _, pid := range began {
			var n int
			fmt.Sscan(pid, &n)
			waitGone(d.t, n)
		}
	}
}
