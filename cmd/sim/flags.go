package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"orrery/sim/scenario"
)

// The flags that say more of a wrong value than that it is wrong. Each is a pflag.Value;
// nil, or a set of false, is a flag that was not given.

// seedFlag is one seed.
type seedFlag struct {
	seed uint64
	set  bool
}

func (f *seedFlag) Type() string { return "seed" }

func (f *seedFlag) String() string {
	if !f.set {
		return ""
	}
	return strconv.FormatUint(f.seed, 10)
}

func (f *seedFlag) Set(text string) error {
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return errors.New("want a whole number such as 7")
	}
	f.seed, f.set = seed, true
	return nil
}

// of is the seeds that are meant: the one that was given, else those that the scenario
// names.
func (f *seedFlag) of(s *scenario.Scenario) scenario.Seeds {
	if f.set {
		return scenario.Seeds{First: f.seed, Last: f.seed}
	}
	return s.Seeds
}

// maxSeeds bounds one call: a million runs take days.
const maxSeeds = 1_000_000

// seedsFlag is a range of seeds, both ends included.
type seedsFlag struct {
	from, to uint64
	set      bool
}

func (f *seedsFlag) Type() string { return "a..b" }

func (f *seedsFlag) String() string {
	if !f.set {
		return ""
	}
	return fmt.Sprintf("%d..%d", f.from, f.to)
}

func (f *seedsFlag) Set(text string) error {
	first, last, isRange := strings.Cut(text, "..")
	if !isRange {
		last = first
	}
	from, errFrom := strconv.ParseUint(first, 10, 64)
	to, errTo := strconv.ParseUint(last, 10, 64)
	switch {
	case errFrom != nil || errTo != nil:
		return errors.New("want a range such as 1..50")
	case to < from:
		return fmt.Errorf("the range runs backwards: want %d..%d", to, from)
	case to-from >= maxSeeds:
		return fmt.Errorf("want at most %d seeds", maxSeeds)
	}
	f.from, f.to, f.set = from, to, true
	return nil
}

// sweepFlag says how many seeds each scenario is run under: that many from the first that
// it names, or a range.
type sweepFlag struct {
	count uint64
	span  seedsFlag // instead of count
}

func (f *sweepFlag) Type() string { return "N|a..b" }

func (f *sweepFlag) String() string {
	switch {
	case f.span.set:
		return f.span.String()
	case f.count > 0:
		return strconv.FormatUint(f.count, 10)
	}
	return ""
}

func (f *sweepFlag) Set(text string) error {
	if strings.Contains(text, "..") {
		return f.span.Set(text)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil || n == 0:
		return errors.New("want a number of seeds such as 20000, or a range such as 1..50")
	case n > maxSeeds:
		return fmt.Errorf("want at most %d seeds", maxSeeds)
	}
	f.count = n
	return nil
}

func (f *sweepFlag) set() bool { return f.count > 0 || f.span.set }

// of returns the first seed and how many there are, for a scenario that names seeds itself.
func (f *sweepFlag) of(own scenario.Seeds) (first, n uint64) {
	switch {
	case f.span.set:
		return f.span.from, f.span.to - f.span.from + 1
	case f.count > 0:
		return own.First, f.count
	}
	return own.First, min(own.Last-own.First, maxSeeds-1) + 1
}

// checkSweep says what is wrong with the flags of a sweep. Without seeds it is of one each.
func checkSweep(jobs int, format string, seeds *sweepFlag) error {
	switch {
	case jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", jobs)
	case format != "text" && format != "json":
		return fmt.Errorf("--format %s: want text or json", format)
	case !seeds.set():
		seeds.count = 1
	}
	return nil
}

// momentFlag is a moment of virtual time: a duration since the start, or as traces and
// stories show it.
type momentFlag struct {
	at  time.Duration
	set bool
}

func (f *momentFlag) Type() string { return "moment" }

func (f *momentFlag) String() string {
	if !f.set {
		return ""
	}
	return f.at.String()
}

func (f *momentFlag) Set(text string) error {
	at, err := time.ParseDuration(text)
	if clock := strings.Split(text, ":"); len(clock) == 3 {
		at, err = time.ParseDuration(clock[0] + "h" + clock[1] + "m" + clock[2] + "s")
	}
	if err != nil || at < 0 {
		return errors.New("want a moment such as 90s, 1m30s or 00:01:30.000")
	}
	f.at, f.set = at, true
	return nil
}
