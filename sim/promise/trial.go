package promise

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxEvidence bounds what a verdict says. A broken rule breaks a hundred times a run;
// the first breaches show it, the others only how often.
const maxEvidence = 10

// trial is a promise as it is being judged.
type trial struct {
	*History
	params Params
	judged int
	found  []Evidence
	notes  []string
}

// breach notes what speaks against the promise.
func (t *trial) breach(at time.Duration, format string, args ...any) {
	t.found = append(t.found, Evidence{At: at, Text: fmt.Sprintf(format, args...)})
}

// concerns reports whether a job is among those to judge.
func (t *trial) concerns(job string) bool {
	return len(t.params.Jobs) == 0 || slices.Contains(t.params.Jobs, job)
}

// verdict tells the earliest breaches, and how many more there are.
func (t *trial) verdict(name string) Verdict {
	slices.SortStableFunc(t.found, func(a, b Evidence) int { return cmp.Compare(a.At, b.At) })
	v := Verdict{Promise: name, Judged: t.judged, Evidence: t.found, Notes: t.notes}
	if rest := len(t.found) - (maxEvidence - 1); rest > 1 {
		last := Evidence{At: t.found[maxEvidence-1].At, Text: fmt.Sprintf("and %d more", rest)}
		v.Evidence = append(slices.Clip(t.found[:maxEvidence-1]), last)
	}
	return v
}

// moment is virtual time as evidence says it; milliseconds only where there are any.
type moment time.Duration

func (m moment) String() string {
	if m < 0 {
		return "-" + (-m).String()
	}
	ms := time.Duration(m).Milliseconds()
	text := fmt.Sprintf("%02d:%02d:%02d", ms/3_600_000, ms/60_000%60, ms/1000%60)
	if ms%1000 != 0 {
		text += fmt.Sprintf(".%03d", ms%1000)
	}
	return text
}

// wall is the moment at which a clock that is right shows a stamp.
func (h *History) wall(stamp int64) time.Duration {
	return time.Unix(0, stamp).Sub(h.Start)
}

// stamp is the reverse of wall.
func (h *History) stamp(at time.Duration) int64 { return h.Start.Add(at).UnixNano() }
