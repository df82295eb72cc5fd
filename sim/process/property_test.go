package process

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
)

// TestPromises gives orders at random to a supervisor whose agent crashes and whose
// machine loses power, and holds after each deed what its users rely on.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &drive{machine: newMachine(rapid.Uint64().Draw(t, "seed")), told: map[orrery.Fence]bool{}}
		fence := func() orrery.Fence {
			return orrery.Fence(rapid.IntRange(1, max(1, d.fences)).Draw(t, "fence"))
		}
		span := func(hi time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(hi)).Draw(t, "span"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				d.fences++
				d.start(orrery.Fence(d.fences), Plan{
					Takes: span(5 * s), Hangs: rapid.Bool().Draw(t, "hangs"), IgnoresTERM: rapid.Bool().Draw(t, "ignores TERM"),
					StartFails: rapid.IntRange(0, 9).Draw(t, "start fails") == 0, ExitCode: rapid.IntRange(0, 1).Draw(t, "code"),
				}, actors.StartProcess{Leased: rapid.Bool().Draw(t, "leased"), Grace: span(2 * s), Timeout: span(10 * s)})
			},
			"start again": func(*rapid.T) { d.startAgain(fence()) },
			"end":         func(*rapid.T) { d.machine.sup.End(fence(), "user") },
			"lease":       func(*rapid.T) { d.machine.sup.SetLease(d.machine.now + span(8*s)) },
			"leased":      func(t *rapid.T) { d.machine.sup.SetLeased(fence(), rapid.Bool().Draw(t, "on")) },
			"forget":      func(*rapid.T) { d.forget(fence()) },
			"pass":        func(*rapid.T) { d.pass(t, span(3*s)) },
			"crash":       func(*rapid.T) { d.machine.down = true },
			"boot":        func(*rapid.T) { d.boot(t) },
			"power loss":  func(*rapid.T) { d.powerLoss(t) },
			"":            func(t *rapid.T) { d.look(t) },
		})
	})
}

// drive is a machine and what was done with it.
type drive struct {
	machine *machine
	fences  int                   // so many were given out
	told    map[orrery.Fence]bool // the agent heard of the end
	heard   int                   // messages looked at
}

func (d *drive) start(fence orrery.Fence, plan Plan, o actors.StartProcess) {
	d.machine.order(fence, plan, o)
}

// startAgain orders what is known already: the plan of the copy would be noticed.
func (d *drive) startAgain(fence orrery.Fence) {
	if p := d.machine.sup.processes[fence]; p != nil {
		d.machine.order(fence, p.plan, actors.StartProcess{Timeout: 1, Grace: 1})
	}
}

func (d *drive) forget(fence orrery.Fence) {
	if d.told[fence] {
		d.machine.sup.Forget(fence)
		delete(d.told, fence)
	}
}

// pass lets time pass timer by timer.
func (d *drive) pass(t *rapid.T, span time.Duration) {
	limit := d.machine.now + span
	for d.machine.step(limit) {
		d.look(t)
	}
	d.machine.now = limit
}

func (d *drive) boot(t *rapid.T) {
	d.machine.down = false
	var last orrery.Fence
	for _, f := range d.machine.sup.Found() {
		fence := orrery.Fence(f.Run.GetAttempt().GetFence())
		if fence <= last {
			t.Fatalf("found %d after %d", fence, last)
		}
		last = fence
		if _, died := d.machine.died[fence]; f.Ended == nil && died && d.told[fence] {
			t.Fatalf("%d was told to have ended and is found running", fence)
		}
	}
}

func (d *drive) powerLoss(t *rapid.T) {
	d.machine.down = true
	d.machine.powerLoss()
	if n := d.machine.sup.Running(); n != 0 {
		t.Fatalf("%d processes outlived the power", n)
	}
	for fence := range d.machine.began {
		if _, ended := d.machine.died[fence]; !ended {
			t.Fatalf("%d ran when the power went, and the history was not told of its end", fence)
		}
	}
}

// look holds the promises now.
func (d *drive) look(t *rapid.T) {
	for ; d.heard < len(d.machine.told); d.heard++ {
		d.hear(t, d.machine.told[d.heard])
	}
	known := d.machine.sup.processes
	for fence := range d.told {
		if p := known[fence]; p == nil || p.step != ended {
			t.Fatalf("%d was told to have ended, and the supervisor does not know", fence)
		}
	}
	for fence, p := range known {
		if p.step == running && p.leased && d.machine.now > d.machine.sup.until {
			t.Fatalf("%d is leased and runs at %v, the lease was until %v", fence, d.machine.now, d.machine.sup.until)
		}
	}
	for fence, began := range d.machine.began {
		if len(began) > 1 || d.machine.asked[fence] > 1 {
			t.Fatalf("%d was started at %v, its plan asked for %d times", fence, began, d.machine.asked[fence])
		}
	}
}

func (d *drive) hear(t *rapid.T, msg any) {
	switch msg := msg.(type) {
	case actors.ProcessStarted:
		if len(d.machine.began[msg.Fence]) == 0 {
			t.Fatalf("%d never began and was told to have", msg.Fence)
		}
		if d.told[msg.Fence] {
			t.Fatalf("%d was told to have started after its end", msg.Fence)
		}
	case actors.ProcessEnded:
		if _, ended := d.machine.died[msg.Fence]; !ended && len(d.machine.began[msg.Fence]) > 0 {
			t.Fatalf("%d runs and was told to have ended", msg.Fence)
		}
		if d.machine.sup.processes[msg.Fence] != nil {
			d.told[msg.Fence] = true
		}
	}
}

// TestSameSeedSameProcesses runs the same orders twice, and under another seed.
func TestSameSeedSameProcesses(t *testing.T) {
	run := func(seed uint64) []string {
		m := newMachine(seed)
		var lines []string
		for i := range 300 {
			fence := orrery.Fence(i + 1)
			m.sup.SetLease(m.now + 3*s)
			m.order(fence, Plan{Takes: time.Duration(i%7) * s, IgnoresTERM: i%3 == 0}, leased(s))
			m.until(m.now + 400*ms)
			m.sup.End(orrery.Fence(i/2), "user")
			if i%50 == 49 {
				lines = append(lines, m.found())
				m.powerLoss()
			}
			lines = append(lines, fmt.Sprint(m.now, m.began[fence], m.died[fence], m.heard()))
		}
		return lines
	}
	first := run(1)
	if !slices.Equal(first, run(1)) {
		t.Error("one seed, two machines")
	}
	if slices.Equal(first, run(2)) {
		t.Error("two seeds, one machine")
	}
}

// TestPaces holds that what is slow is met, and stays below a second.
func TestPaces(t *testing.T) {
	sup := newMachine(1).sup
	for name, p := range map[string]pace{"start": startTakes, "note": noteTakes, "answer": answerTakes} {
		slow := 0
		for range 20_000 {
			switch took := sup.draw(p); {
			case took >= p.usual.Lo && took <= p.usual.Hi:
			case took >= p.slow.Lo && took <= p.slow.Hi && took < s:
				slow++
			default:
				t.Fatalf("%s took %v", name, took)
			}
		}
		if want := int(20_000 * uint64(p.slowPPM) / netsim.Million); slow < want/2 || slow > want*2 {
			t.Errorf("%s: %d of 20000 were slow, want about %d", name, slow, want)
		}
	}
}
