package main

import (
	"fmt"
	"time"

	"orrery/sim/scenario"
	"orrery/sim/shrink"
)

// shrinkProgress shows how small the scenario is by now. On a terminal that is a line that
// changes; elsewhere a line whenever the scenario has lost one.
type shrinkProgress struct {
	progress *progress
	judge    *shrinkJudge
	began    time.Time
	lines    int // of the scenario as it was last shown
}

func (p *shrinkProgress) tell(step shrink.Step) {
	lines := shrink.Lines(step.Scenario)
	text := fmt.Sprintf("%s, %s, %.0f s: %s", plural(lines, "line"), plural(p.judge.runs, "run"), time.Since(p.began).Seconds(), step.What)
	if lines < p.lines && !p.progress.terminal {
		fmt.Fprintln(p.progress.w, text)
	}
	p.progress.show(func() []string { return []string{text} })
	p.lines = lines
}

// end says how it ended.
func (p *shrinkProgress) end(small *scenario.Scenario, interrupted, late bool) {
	why := "nothing more can be spared"
	switch {
	case interrupted:
		why = "stopped, what there is by now is kept"
	case p.judge.bug != nil:
		why = "a bug of the simulator ended it"
	case late:
		why = "the time is over, more might be spared"
	}
	p.progress.hide()
	fmt.Fprintf(p.progress.w, "%s after %s in %.0f s: %s\n", plural(shrink.Lines(small), "line"), plural(p.judge.runs, "run"), time.Since(p.began).Seconds(), why)
}
