package orrery

import (
	"math"
	"math/bits"
	"time"
)

const (
	defaultBackoffInitial = 5 * time.Second
	defaultBackoffFactor  = 2000
	defaultBackoffMax     = 5 * time.Minute
	defaultBackoffJitter  = 100
)

// WithDefaults returns b with every zero field set to what it means. Of Initial and
// Max, one that was not given never contradicts one that was.
func (b Backoff) WithDefaults() Backoff {
	if b.Max > 0 {
		setDefault(&b.Initial, min(defaultBackoffInitial, b.Max))
	}
	setDefault(&b.Initial, defaultBackoffInitial)
	setDefault(&b.Factor, defaultBackoffFactor)
	setDefault(&b.Max, max(defaultBackoffMax, b.Initial))
	setDefault(&b.Jitter, defaultBackoffJitter)
	return b
}

// Again says whether an attempt that was the n-th of its slot, counted from 1, and
// ended with how earns another one. For a lost attempt the job's OnLost is asked
// first: only with OnLostRetry does this answer matter.
func (r Retry) Again(n int, how Outcome) bool {
	if n > r.Max {
		return false
	}
	switch how {
	case OutcomeFailed:
		return r.On != RetryOnLost
	case OutcomeLost:
		return r.On != RetryOnFailure
	}
	return false
}

// Delay is the time between the end of attempt n, counted from 1, and the start of
// attempt n+1. It is a function of its arguments: identity, which names the slot of
// the execution, stands in for chance, so that every server computes the same delay
// and a thousand jobs that failed together do not come back together. The back-off
// must be one that Validate accepts; the delay is then never negative, and at most
// Max and its jitter.
func (r Retry) Delay(n int, identity uint64) time.Duration {
	b := r.Backoff.WithDefaults()
	delay := b.nominal(n)
	spread := thousandths(delay, max(b.Jitter, 0))
	drawn, _ := bits.Mul64(mix(mix(identity)^uint64(n)), 2*uint64(spread)+1) // 0 to 2·spread
	return time.Duration(min(uint64(delay-spread)+drawn, math.MaxInt64))
}

// nominal is the delay after attempt n before jitter. A delay of so few nanoseconds
// that the factor is lost in rounding stays what it is.
func (b Backoff) nominal(n int) time.Duration {
	delay := min(b.Initial, b.Max)
	for range n - 1 {
		longer := thousandths(delay, b.Factor)
		if longer == delay || longer >= b.Max {
			return min(longer, b.Max)
		}
		delay = longer
	}
	return delay
}

// thousandths is d·n/1000, rounded down, at most the longest Duration.
func thousandths(d time.Duration, n int) time.Duration {
	high, low := bits.Mul64(uint64(d), uint64(n))
	if high >= 500 { // the quotient would need 64 bits or more
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, 1000)
	return time.Duration(quotient)
}
