package orrery

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAgain(t *testing.T) {
	ends := []Outcome{OutcomeNone, OutcomeSucceeded, OutcomeFailed, OutcomeLost, OutcomeCancelled, OutcomeSkipped}
	tests := map[string]struct {
		on   RetryOn
		want string
	}{
		"any is failed or lost":        {RetryOnAny, "[failed lost]"},
		"failure does not mean lost":   {RetryOnFailure, "[failed]"},
		"lost does not mean a failure": {RetryOnLost, "[lost]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			retry := Retry{Max: 2, On: test.on}
			for n, want := range map[int]string{1: test.want, 2: test.want, 3: "[]"} {
				got := []Outcome{}
				for _, how := range ends {
					if retry.Again(n, how) {
						got = append(got, how)
					}
				}
				if fmt.Sprint(got) != want {
					t.Errorf("after attempt %d: again when %v; want %s", n, got, want)
				}
			}
		})
	}
}

func TestDelayWithoutJitter(t *testing.T) {
	tests := map[string]struct {
		backoff Backoff
		want    []time.Duration
	}{
		"it doubles from 5 s to 5 min": {
			Backoff{},
			[]time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second},
		},
		"a factor of 1000 changes nothing":  {Backoff{Initial: 7, Factor: 1000, Max: 100}, []time.Duration{7, 7, 7}},
		"thousandths are rounded down":      {Backoff{Initial: 3, Factor: 1500, Max: 100}, []time.Duration{3, 4, 6, 9, 13, 19}},
		"rounding may hold it where it was": {Backoff{Initial: 1, Factor: 1999, Max: 100}, []time.Duration{1, 1, 1}},
		"the least that overflows":          {Backoff{Initial: math.MaxInt64 - 1, Factor: 1001, Max: math.MaxInt64}, []time.Duration{math.MaxInt64 - 1, math.MaxInt64}},
		"what would overflow is the longest": {
			Backoff{Initial: math.MaxInt64 / 2, Factor: math.MaxInt, Max: math.MaxInt64},
			[]time.Duration{math.MaxInt64 / 2, math.MaxInt64, math.MaxInt64},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.backoff.Jitter = -1
			for i, want := range test.want {
				if got := (Retry{Backoff: test.backoff}).Delay(i+1, 42); got != want {
					t.Errorf("after attempt %d: %d; want %d", i+1, got, want)
				}
			}
		})
	}
}

func TestDelayStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		initial := rapid.Int64Range(1, math.MaxInt64).Draw(t, "initial")
		b := Backoff{
			Initial: time.Duration(initial),
			Factor:  rapid.IntRange(1000, math.MaxInt).Draw(t, "factor"),
			Max:     time.Duration(rapid.Int64Range(initial, math.MaxInt64).Draw(t, "max")),
			Jitter:  rapid.IntRange(-1, 1000).Draw(t, "jitter"),
		}
		n, identity := rapid.IntRange(1, maxRetries).Draw(t, "n"), rapid.Uint64().Draw(t, "identity")
		delay := Retry{Backoff: b}.Delay(n, identity)
		plain := b
		plain.Jitter = -1
		nominal := Retry{Backoff: plain}.Delay(n, identity)
		jitter := b.WithDefaults().Jitter
		spread := nominal / 1000 * time.Duration(max(jitter, 0))
		spread += min(1000, math.MaxInt64-spread) // a little more than it can be
		if nominal < b.Initial || nominal > b.Max {
			t.Fatalf("without jitter %d: want it from %d to %d", nominal, b.Initial, b.Max)
		}
		if delay < 0 || delay < nominal-spread || delay-nominal > spread {
			t.Fatalf("%d is more than %d‰ off %d", delay, jitter, nominal)
		}
		if again := (Retry{Backoff: b}).Delay(n, identity); again != delay {
			t.Fatalf("the same delay is %d, then %d", delay, again)
		}
	})
}

// TestJitterSpreads: jitter uses its whole width, evenly, and another execution or
// attempt has another.
func TestJitterSpreads(t *testing.T) {
	retry := Retry{Backoff: Backoff{Initial: 1000, Factor: 1000, Max: 1000, Jitter: 100}}
	byIdentity, byAttempt := map[time.Duration]int{}, map[time.Duration]int{}
	const draws = 201 * 100
	for i := range draws {
		byIdentity[retry.Delay(1, uint64(i))]++
		byAttempt[retry.Delay(i+1, 7)]++
	}
	for name, counts := range map[string]map[time.Duration]int{"identity": byIdentity, "attempt": byAttempt} {
		for delay := time.Duration(900); delay <= 1100; delay++ {
			if n := counts[delay]; n < 50 || n > 150 {
				t.Errorf("by %s: %d of %d delays are %d; want about 100", name, n, draws, delay)
			}
		}
	}
}

// TestDelayIsForEver: servers of two versions must agree.
func TestDelayIsForEver(t *testing.T) {
	var got []time.Duration
	for n := range 4 {
		got = append(got, Retry{}.Delay(n+1, 0xfeed))
	}
	if want := "[5.321645207s 10.455518753s 20.73354999s 42.648656849s]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
