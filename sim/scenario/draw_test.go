package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"
)

const drawnLasts = 20 * time.Minute

// drawScenario draws a scenario that Check lets pass and that makes use of the whole language.
func drawScenario(t *rapid.T) *Scenario {
	s := blank("x.scenario")
	s.About = rapid.StringMatching(`([A-Za-z#"][a-z ]{0,9}[a-z](\n[a-z]{0,5}){0,3})?`).Draw(t, "about")
	s.Members = Members{Servers: rapid.IntRange(3, 7).Draw(t, "servers"), Agents: rapid.IntRange(1, 3).Draw(t, "agents")}
	s.Seeds.First = rapid.Uint64Range(0, 100).Draw(t, "first seed")
	s.Seeds.Last = s.Seeds.First + rapid.Uint64Range(0, 1<<40).Draw(t, "more seeds")
	s.Lasts = drawnLasts
	s.Starts = time.Unix(0, rapid.Int64Range(0, 5_000_000_000_000_000_000).Draw(t, "starts")).UTC()
	s.Zone = drawZone(t)
	if only := rapid.SliceOfNDistinct(rapid.SampledFrom(engines.now), 0, 2, rapid.ID).Draw(t, "engines"); len(only) > 0 {
		s.Engines = Engines{Only: only, Why: rapid.StringMatching(`([!-~][ -~]{0,50}[!-~])?`).Draw(t, "why")}
	}
	s.Sets = rapid.SliceOfNDistinct(rapid.SampledFrom(sets.now), 0, 3, rapid.ID).Draw(t, "sets")
	s.Network.Latency = drawRange(t, 0, time.Second)
	drawEquipment(t, s)
	s.Jobs = rapid.SliceOfNDistinct(rapid.Custom(drawJob), 1, 6, func(j Job) string { return j.Name }).Draw(t, "jobs")
	drawChains(t, s)
	s.Clients = drawSome(t, "clients", drawClients)
	s.Steps = drawSome(t, "steps", func(t *rapid.T) Step { return drawStep(t, s) })
	s.Faults = slices.Concat(
		[]Fault{drawFirstFault(t, s)},
		drawSome(t, "faults", func(t *rapid.T) Fault { return drawFault(t, s) }),
		drawCore(t, s),
	)
	drawVerdicts(t, s)
	return s
}

func drawSome[T any](t *rapid.T, label string, draw func(*rapid.T) T) []T {
	return rapid.SliceOfN(rapid.Custom(draw), 0, 5).Draw(t, label)
}

func drawWord[T ~string](t *rapid.T, v vocabulary[T]) T {
	return rapid.SampledFrom(v.now).Draw(t, v.kind)
}

// drawMaybe draws a word or none.
func drawMaybe[T ~string](t *rapid.T, v vocabulary[T]) T {
	return rapid.SampledFrom(append([]T{""}, v.now...)).Draw(t, v.kind)
}

func drawZone(t *rapid.T) string {
	return rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Etc/GMT+5", "Nowhere"}).Draw(t, "zone")
}

// drawTime draws durations that a person would write, and some that nobody would.
func drawTime(t *rapid.T, low, high time.Duration) time.Duration {
	unit := rapid.SampledFrom([]time.Duration{1, time.Microsecond, time.Millisecond, time.Second, time.Minute}).Draw(t, "unit")
	if unit > high {
		unit = 1
	}
	n := rapid.Int64Range(int64((low+unit-1)/unit), int64(high/unit)).Draw(t, "duration")
	return time.Duration(n) * unit
}

// drawOptional draws a positive duration or none.
func drawOptional(t *rapid.T) time.Duration { return drawTime(t, 0, 400*day) }

func drawRange(t *rapid.T, low, high time.Duration) Range {
	lo := drawTime(t, low, high)
	if rapid.Bool().Draw(t, "plain") {
		return Exactly(lo)
	}
	return Range{Lo: lo, Hi: drawTime(t, lo, high)}
}

func drawName(t *rapid.T) string {
	names := []string{"report", "backup", "a-2", "m1", "for", "on", "and", "every", "firing", "core", "7", "X_y.z", "scheduler", "crush"}
	return rapid.SampledFrom(names).Draw(t, "name")
}

func drawEquipment(t *rapid.T, s *Scenario) {
	for _, m := range s.Members.Names() {
		if rapid.Bool().Draw(t, "tagged") {
			s.Tags = append(s.Tags, Tag{Member: m, Key: "role", Value: drawName(t)}, Tag{Member: m, Key: "disk", Value: "ssd"})
		}
		if rapid.Bool().Draw(t, "slotted") {
			s.Slots = append(s.Slots, Slots{Member: m, N: rapid.IntRange(1, 9).Draw(t, "slots")})
		}
	}
	s.Cluster = Cluster{
		LostAfter: drawOptional(t), MisfireAfter: drawOptional(t), Heartbeat: drawOptional(t), MaxClockSkew: drawOptional(t),
		HistoryMaxBytes: rapid.IntRange(0, maxCount).Draw(t, "history"),
	}
}

// drawJob draws a job without parents.
func drawJob(t *rapid.T) Job {
	count := func(label string) int { return rapid.IntRange(0, 5).Draw(t, label) }
	chance := func(label string) Chance { return Chance(rapid.IntRange(0, int(Always)).Draw(t, label)) }
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	j := Job{
		Name: drawName(t), Times: count("times"), Schedule: drawSchedule(t),
		Takes: drawRange(t, 0, time.Hour), Hangs: chance("hangs"), IgnoresTerm: yes("ignores term"), Output: count("output"),
		Retries: count("retries"), RetryOn: drawMaybe(t, retryOns),
		Overlap:    rapid.SampledFrom([]Overlap{"", OverlapAllow, OverlapSkip, OverlapQueue, OverlapReplace}).Draw(t, "overlap"),
		QueueLimit: count("queue limit"), QueueKeep: drawMaybe(t, queueKeeps), MaxParallel: count("parallel"),
		Misfire: drawMaybe(t, misfires), MisfireWindow: drawOptional(t), MisfireMax: count("misfires"),
		Timeout: drawOptional(t), Deadline: drawOptional(t), StartDeadline: drawOptional(t), KillGrace: drawOptional(t),
		Delivery: drawMaybe(t, deliveries), OnLost: drawMaybe(t, onLosts), Everywhere: yes("everywhere"),
		Zone: rapid.SampledFrom([]string{"", "UTC", "Europe/Berlin"}).Draw(t, "zone"), Gap: drawMaybe(t, gaps), Repeat: drawMaybe(t, repeats),
		StartsAt: drawOptional(t), Expires: drawOptional(t), Disabled: yes("disabled"), Ephemeral: yes("ephemeral"), History: count("history"),
	}
	if yes("fails by chance") {
		j.Fails = chance("fails")
	} else {
		j.FailsFirst = count("fails first")
	}
	if yes("backs off") {
		j.Backoff = Backoff{Initial: drawTime(t, 1, time.Hour)}
		j.Backoff.Factor = rapid.SampledFrom([]int{0, 1000, 1001, 1500, 2000, 12_340}).Draw(t, "factor")
		j.Backoff.Max = rapid.SampledFrom([]time.Duration{0, j.Backoff.Initial, 2 * time.Hour}).Draw(t, "max")
	}
	for _, key := range []string{"role", "disk"} {
		if yes("placed") {
			j.On = append(j.On, Place{Key: key, Value: drawName(t), Count: count("members")})
		}
	}
	return j
}

func drawSchedule(t *rapid.T) Schedule {
	switch rapid.IntRange(0, 3).Draw(t, "schedule") {
	case 0:
		return Schedule{Kind: Every, Every: drawTime(t, 1, 400*day)}
	case 1:
		return Schedule{Kind: Cron, Cron: rapid.StringMatching(`[0-9*#"\\é,|> ]{0,9}[*]`).Draw(t, "cron")}
	case 2:
		return Schedule{Kind: AtOnce, At: drawTime(t, 0, drawnLasts)}
	}
	return Schedule{Kind: Manually}
}

// drawChains gives some jobs parents that stand before them, in whatever order that then is in the file.
func drawChains(t *rapid.T, s *Scenario) {
	for i := range s.Jobs {
		if i > 0 && rapid.Bool().Draw(t, "has parents") {
			s.Jobs[i].Schedule = drawParents(t, s.Jobs[:i])
		}
	}
	s.Jobs = rapid.Permutation(s.Jobs).Draw(t, "order")
}

func drawParents(t *rapid.T, jobs []Job) Schedule {
	parent := rapid.Custom(func(t *rapid.T) Need {
		return Need{Job: drawExisting(t, jobs), On: drawWord(t, conditions)}
	})
	needs := rapid.SliceOfNDistinct(parent, 1, 3, func(n Need) string { return n.Job })
	join := JoinAll
	s := Schedule{Kind: After, Needs: needs.Draw(t, "parents")}
	if len(s.Needs) > 1 {
		join = rapid.SampledFrom([]Join{JoinAll, JoinAny}).Draw(t, "join")
	}
	s.Join = join
	return s
}

// drawExisting draws one job.
func drawExisting(t *rapid.T, jobs []Job) string {
	return rapid.SampledFrom(rapid.SampledFrom(jobs).Draw(t, "job").Names()).Draw(t, "job of the family")
}

// drawExistingOrFamily draws one job or family.
func drawExistingOrFamily(t *rapid.T, jobs []Job) string {
	if rapid.Bool().Draw(t, "as in the file") {
		return rapid.SampledFrom(jobs).Draw(t, "job or family").Name
	}
	return drawExisting(t, jobs)
}

func drawClients(t *rapid.T) Clients {
	return Clients{
		N:       rapid.IntRange(1, 99).Draw(t, "clients"),
		Ops:     rapid.SliceOfNDistinct(rapid.SampledFrom(ops.now), 1, 9, rapid.ID).Draw(t, "ops"),
		Rate:    Rate{rapid.IntRange(1, 99).Draw(t, "rate"), rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "per")},
		Timeout: drawTime(t, 1, time.Hour),
	}
}

// drawWhen draws a moment; only verbs that happen to frames may have it be sometimes.
func drawWhen(t *rapid.T, s *Scenario, noise bool) When {
	kinds := []WhenKind{At, Within, About, Upon}
	if noise {
		kinds = append(kinds, Sometimes)
	}
	w := When{Kind: rapid.SampledFrom(kinds).Draw(t, "when")}
	switch w.Kind {
	case At:
		w.Span = drawRange(t, 0, drawnLasts)
	case Within:
		w.Span.Lo = drawTime(t, 0, drawnLasts-1)
		w.Span.Hi = drawTime(t, w.Span.Lo+1, drawnLasts)
		w.Every = drawTime(t, 1, time.Hour)
	case Upon:
		w.Event = drawWord(t, events)
		w.Nth = rapid.IntRange(0, 130).Draw(t, "which")
		if slices.Contains(jobEvents, w.Event) && rapid.Bool().Draw(t, "of a job") {
			w.Job = drawExistingOrFamily(t, s.Jobs)
		}
	case About:
		w.Every = drawTime(t, 1, time.Hour)
		w.Span = drawWindow(t)
	case Sometimes:
		w.Span = drawWindow(t)
	}
	return w
}

func drawWindow(t *rapid.T) Range {
	lo := drawTime(t, 0, drawnLasts-1)
	return Range{Lo: lo, Hi: rapid.SampledFrom([]time.Duration{0, lo + 1, drawnLasts}).Draw(t, "to")}
}

func drawStep(t *rapid.T, s *Scenario) Step {
	st := Step{When: drawWhen(t, s, false), Verb: drawWord(t, stepVerbs)}
	switch st.Verb {
	case StepPauseScheduler, StepResumeScheduler:
	case StepPut:
		// A put ends where its job's options do, and leaves no room for the clauses of these two.
		if st.When.Kind == Within || st.When.Kind == About {
			st.When = When{Kind: At}
		}
		st.Put = drawJob(t)
		st.Put.Times = 0
		st.Job = st.Put.Name
	default:
		st.Job = drawExisting(t, s.Jobs)
	}
	return st
}

// drawFirstFault draws one that hits somebody, so that "it" may be said below.
func drawFirstFault(t *rapid.T, s *Scenario) Fault {
	return Fault{When: drawWhen(t, s, false), Verb: Crash, Targets: []Target{Leader}}
}

func drawFault(t *rapid.T, s *Scenario) Fault {
	f := Fault{Verb: drawWord(t, faultVerbs)}
	f.When = drawWhen(t, s, Noisy(f.Verb))
	kind := kindOf(f.Verb)
	if kind.lasts && rapid.Bool().Draw(t, "lasts") {
		f.For = drawRange(t, 1, 400*day)
	}
	for _, p := range kind.takes {
		drawPart(t, s, p, &f)
	}
	return f
}

func drawPart(t *rapid.T, s *Scenario, p part, f *Fault) {
	kind := kindOf(f.Verb)
	switch p {
	case someMembers:
		f.Targets = drawTargets(t, s)
	case aCut:
		drawCut(t, s, f)
	case aWay:
		f.Way = drawWord(t, kind.ways)
	case aChance:
		f.Chance = Chance(rapid.IntRange(1, int(cmp.Or(kind.most, Always))).Draw(t, "chance"))
	case anAmount:
		f.Amount = drawRange(t, 1, cmp.Or(kind.longest, time.Minute))
	case maybeVerbs:
		f.Among = rapid.SliceOfNDistinct(rapid.SampledFrom(FaultVerbs()), 0, 5, rapid.ID).Draw(t, "among")
	}
}

// drawCore draws a heal of the core, which is the last of all, or none.
func drawCore(t *rapid.T, s *Scenario) []Fault {
	if rapid.IntRange(0, 3).Draw(t, "core") > 0 {
		return nil
	}
	f := Fault{When: When{Kind: At, Span: Exactly(drawnLasts)}, Verb: Heal, Core: true}
	if rapid.Bool().Draw(t, "named") {
		for _, m := range s.Members.Names()[:s.Members.Servers] {
			f.Targets = append(f.Targets, Target(m))
		}
	}
	return []Fault{f}
}

// drawTargets draws some of the members and words that make sense everywhere.
func drawTargets(t *rapid.T, s *Scenario) []Target {
	known := []Target{Leader, Follower, Any, AServer, AnAgent, Minority, Majority, All, It}
	for _, m := range s.Members.Names() {
		known = append(known, Target(m))
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(known), 1, 4, rapid.ID).Draw(t, "targets")
}

func drawCut(t *rapid.T, s *Scenario, f *Fault) {
	if rapid.Bool().Draw(t, "any link") {
		f.Targets = []Target{AnyLink}
		return
	}
	f.Targets = drawTargets(t, s)
	f.Cut = rapid.SampledFrom([]Cut{CutBoth, CutOneWay}).Draw(t, "cut")
	f.Others = slices.DeleteFunc(drawTargets(t, s), func(o Target) bool { return o.Member() > 0 && slices.Contains(f.Targets, o) })
	if len(f.Others) == 0 || rapid.Bool().Draw(t, "rest") {
		f.Others = []Target{Rest}
	}
	if rapid.Bool().Draw(t, "turn round") {
		f.Targets, f.Others = f.Others, f.Targets
	}
}

func drawVerdicts(t *rapid.T, s *Scenario) {
	for _, name := range promises.now {
		switch rapid.IntRange(0, 3).Draw(t, "promise") {
		case 0:
			s.Waivers = append(s.Waivers, Waiver{Promise: name, Because: rapid.StringMatching(`[ -~]{0,20}[a-z]`).Draw(t, "because")})
		case 1:
			s.Promises = append(s.Promises, drawPromise(t, s, name))
		case 2:
			s.MustBreaks = append(s.MustBreaks, MustBreak{Promise: name})
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "probes and knobs") {
		s.Expects = append(s.Expects, Expect{Probe: fmt.Sprintf("%s-%d", drawName(t), i)})
		s.Knobs = append(s.Knobs, Knob{Name: strconv.Itoa(i) + drawName(t)})
	}
}

func drawPromise(t *rapid.T, s *Scenario, name PromiseName) Promise {
	p := Promise{Name: name}
	switch name {
	case Calm, Timely:
		p.Within = drawOptional(t)
	case NoOverlap:
		for _, j := range s.Jobs {
			if rapid.Bool().Draw(t, "judged") {
				p.Jobs = append(p.Jobs, j.Name)
			}
		}
	}
	return p
}
