package proto

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// FromDecision converts a decision about due times to the wire.
func FromDecision(d orrery.Decision) *orrerypb.Decision {
	w := &orrerypb.Decision{
		DueNs:         Nanos(d.Due),
		SkippedFromNs: Nanos(d.Skipped.From), SkippedToNs: Nanos(d.Skipped.To), SkippedReason: string(d.Skipped.Reason),
		NextNs: Nanos(d.Next),
	}
	for _, f := range d.Fires {
		w.Fires = append(w.Fires, &orrerypb.FireTime{DueNs: Nanos(f.Due), CatchUp: f.CatchUp})
	}
	return w
}

// ToDecision is the reverse of FromDecision. nil is the zero Decision.
func ToDecision(w *orrerypb.Decision) orrery.Decision {
	d := orrery.Decision{
		Due: Time(w.GetDueNs()),
		Skipped: orrery.Span{
			From: Time(w.GetSkippedFromNs()), To: Time(w.GetSkippedToNs()), Reason: orrery.Reason(w.GetSkippedReason()),
		},
		Next: Time(w.GetNextNs()),
	}
	for _, f := range w.GetFires() {
		d.Fires = append(d.Fires, orrery.FireTime{Due: Time(f.GetDueNs()), CatchUp: f.GetCatchUp()})
	}
	return d
}
