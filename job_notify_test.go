package orrery

import "testing"

// TestWhoIsTold holds the whole table: what a job says, what the cluster says, and whom of
// the two the start and each end is told.
func TestWhoIsTold(t *testing.T) {
	type told struct{ own, members bool }
	start := func(on NotifyOn, c ClusterNotify) (w told) {
		n := Notify{On: on, Before: Webhook{URL: "http://h"}}
		w.own, w.members = n.TellsStart(c)
		return w
	}
	end := func(on NotifyOn, c ClusterNotify, how Outcome) (w told) {
		n := Notify{On: on, After: Webhook{URL: "http://h"}}
		w.own, w.members = n.TellsEnd(c, how)
		return w
	}
	failures, all := ClusterNotify{Before: true, After: NotifyEndsFailure}, ClusterNotify{Before: true, After: NotifyEndsAll}
	both, own, nobody := told{true, true}, told{own: true}, told{}
	for name, test := range map[string]struct{ got, want told }{
		"a start":                            {start(NotifyDefault, all), both},
		"a start nobody configured":          {start(NotifyDefault, ClusterNotify{After: NotifyEndsAll}), own},
		"a start, always":                    {start(NotifyAlways, all), both},
		"a start, of interest if it fails":   {start(NotifyFailure, all), nobody},
		"a start, never":                     {start(NotifyNever, all), nobody},
		"a success":                          {end(NotifyDefault, all, OutcomeSucceeded), both},
		"a success among failures":           {end(NotifyDefault, failures, OutcomeSucceeded), own},
		"a success, always":                  {end(NotifyAlways, failures, OutcomeSucceeded), both},
		"a success nobody configured":        {end(NotifyAlways, ClusterNotify{Before: true}, OutcomeSucceeded), own},
		"a success, of interest if it fails": {end(NotifyFailure, all, OutcomeSucceeded), nobody},
		"a failure":                          {end(NotifyDefault, failures, OutcomeFailed), both},
		"a failure, of interest":             {end(NotifyFailure, failures, OutcomeFailed), both},
		"a failure, never":                   {end(NotifyNever, all, OutcomeFailed), nobody},
		"a loss":                             {end(NotifyFailure, failures, OutcomeLost), both},
		"a cancellation":                     {end(NotifyDefault, failures, OutcomeCancelled), own},
		"a cancellation, among all":          {end(NotifyDefault, all, OutcomeCancelled), both},
	} {
		if test.got != test.want {
			t.Errorf("%s: told %+v, want %+v", name, test.got, test.want)
		}
	}
	if own, _ := (Notify{On: NotifyAlways}).TellsEnd(all, OutcomeFailed); own {
		t.Error("a job without a webhook of its own has one told")
	}
}
