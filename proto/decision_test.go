package proto_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto"
)

func TestDecisionsComeBackAsTheyWent(t *testing.T) {
	instants := rapid.Custom(func(t *rapid.T) time.Time {
		return proto.Time(rapid.Int64().Draw(t, "ns"))
	})
	reasons := rapid.SampledFrom([]orrery.Reason{orrery.ReasonNone, orrery.ReasonMisfire, orrery.ReasonPaused})
	fires := rapid.Custom(func(t *rapid.T) orrery.FireTime {
		return orrery.FireTime{Due: instants.Draw(t, "due"), CatchUp: rapid.Bool().Draw(t, "catch-up")}
	})
	rapid.Check(t, func(t *rapid.T) {
		d := orrery.Decision{
			Due:     instants.Draw(t, "head"),
			Skipped: orrery.Span{From: instants.Draw(t, "from"), To: instants.Draw(t, "to"), Reason: reasons.Draw(t, "reason")},
			Fires:   rapid.SliceOfN(fires, 1, 5).Draw(t, "fires"),
			Next:    instants.Draw(t, "next"),
		}
		if diff := cmp.Diff(d, proto.ToDecision(proto.FromDecision(d))); diff != "" {
			t.Fatal(diff)
		}
	})
}
