package actors

import (
	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// decisionRecord is a decision as the log has it; nil for one that decides nothing.
func decisionRecord(d orrery.Decision) *orrerypb.Decision {
	if d.Due.IsZero() {
		return nil
	}
	record := &orrerypb.Decision{
		DueNs:         wire.Nanos(d.Due),
		SkippedFromNs: wire.Nanos(d.Skipped.From),
		SkippedToNs:   wire.Nanos(d.Skipped.To),
		SkippedReason: string(d.Skipped.Reason),
		NextNs:        wire.Nanos(d.Next),
	}
	for _, f := range d.Fires {
		record.Fires = append(record.Fires, &orrerypb.FireTime{DueNs: wire.Nanos(f.Due), CatchUp: f.CatchUp})
	}
	return record
}
