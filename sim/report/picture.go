package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"orrery/sim"
	"orrery/sim/promise"
)

// picture is what the page draws beside the records. All moments are microseconds of
// virtual time; -1 is never. Members and clients are their places among the lanes.
type picture struct {
	Scenario string     `json:"scenario"`
	Seed     string     `json:"seed"`
	Start    int64      `json:"start"` // the world's wall clock at 0, in milliseconds
	End      int64      `json:"end"`
	Healed   int64      `json:"healed"` // 0: the run ended before
	Window   int64      `json:"window"` // how long a due time may wait before it is missed
	Records  int        `json:"records"`
	Lanes    []lane     `json:"lanes"`
	Leaders  []reign    `json:"leaders"`
	Down     []absence  `json:"down"`
	Faults   []fault    `json:"faults"`
	Evidence []evidence `json:"evidence"`
	Jobs     []jobRow   `json:"jobs"`
	Dues     []due      `json:"dues"`
	Bars     []bar      `json:"bars"`
	Reasons  []string   `json:"reasons"` // of skips and ends, by number
}

// newPicture begins one. Its lists are empty, which JSON tells from none.
func newPicture(run Run) *picture {
	h := run.Result.History
	return &picture{
		Scenario: run.Title, Seed: strconv.FormatUint(run.Result.Seed, 10),
		Start: h.Start.UnixMilli(), End: micros(run.Result.Virtual), Healed: micros(h.Healed),
		Window:  micros(h.Config.WithDefaults().MisfireAfter),
		Leaders: []reign{}, Down: []absence{}, Faults: []fault{}, Evidence: []evidence{},
		Jobs: []jobRow{}, Dues: []due{}, Bars: []bar{}, Reasons: []string{},
	}
}

// lane is a row of the space-time diagram. The first is the world: what is done to all.
type lane struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // world, server, agent, client
	Tags string `json:"tags,omitempty"`
}

// reign is one server's belief that it leads.
type reign struct {
	Lane int    `json:"lane"`
	Term uint64 `json:"term"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

// absence is a time during which a member's agent was not there.
type absence struct {
	Lane int    `json:"lane"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
	Why  string `json:"why"`
}

// fault is what was broken on purpose. A cut has two sides.
type fault struct {
	Verb  string `json:"verb"`
	Text  string `json:"text"`
	Lanes []int  `json:"lanes"`
	Side  []int  `json:"side,omitempty"` // those of Lanes that stand first in the text of a cut
	From  int64  `json:"from"`
	To    int64  `json:"to"`
}

// evidence is one breach of a promise.
type evidence struct {
	Promise string `json:"promise"`
	At      int64  `json:"at"`
	Text    string `json:"text"`
}

// lanesOf lists the world, the members as the scenario has them, and then clients as they
// come up.
func lanesOf(h *promise.History, records []sim.Record) ([]lane, map[string]int) {
	lanes := []lane{{Name: "", Kind: "world"}}
	places := map[string]int{"": 0}
	add := func(l lane) {
		if _, known := places[l.Name]; !known {
			places[l.Name] = len(lanes)
			lanes = append(lanes, l)
		}
	}
	for _, m := range h.Members {
		kind := "agent"
		if m.Server {
			kind = "server"
		}
		add(lane{Name: m.Name, Kind: kind, Tags: tagText(m.Tags)})
	}
	for _, r := range h.Requests {
		add(lane{Name: r.Client, Kind: "client"})
	}
	for _, r := range records {
		add(lane{Name: r.Member, Kind: "client"})
	}
	return lanes, places
}

func tagText(tags map[string]string) string {
	var parts []string
	for key, value := range tags {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// addLeaders takes what servers believed. A server that crashes believes nothing any more.
func (p *picture) addLeaders(h *promise.History, places map[string]int) {
	for _, l := range h.Leaders {
		to := until(l.To)
		for _, c := range h.Crashes {
			if at := micros(c.At); c.Member == l.Member && c.At >= l.From && (to < 0 || at < to) {
				to = at
			}
		}
		p.Leaders = append(p.Leaders, reign{places[l.Member], l.Term, micros(l.From), to})
	}
}

// whyAbsent are the faults by which an agent ends otherwise than by a crash.
var whyAbsent = map[string]string{"leave": "left", "rolling-restart": "restarting", "upgrade": "upgrading"}

// addAbsences pairs each end of an agent with its next start.
func (p *picture) addAbsences(h *promise.History, places map[string]int, starts map[string][]time.Duration) {
	for _, c := range h.Crashes {
		a := absence{places[c.Member], micros(c.At), -1, "crashed"}
		for _, f := range h.Faults {
			if why, known := whyAbsent[f.Verb]; known && f.From <= c.At && (f.To < 0 || c.At <= f.To) && slices.Contains(f.Members, c.Member) {
				a.Why = why
			}
		}
		if c.PowerLost {
			a.Why = "without power"
		}
		if slices.ContainsFunc(h.Panics, func(x promise.Panic) bool { return x.Member == c.Member && x.At == c.At }) {
			a.Why = "panicked"
		}
		after := starts[c.Member]
		if i := slices.IndexFunc(after, func(at time.Duration) bool { return at >= c.At }); i >= 0 {
			a.To = micros(after[i])
		}
		p.Down = append(p.Down, a)
	}
}

func (p *picture) addFaults(h *promise.History, places map[string]int) {
	for _, f := range h.Faults {
		x := fault{Verb: f.Verb, Text: f.Text, Lanes: []int{}, From: micros(f.From), To: until(f.To)}
		first, _, isCut := cutSides(f.Text)
		for _, name := range f.Members {
			place, known := places[name]
			if !known {
				continue
			}
			x.Lanes = append(x.Lanes, place)
			if isCut && slices.Contains(first, name) {
				x.Side = append(x.Side, place)
			}
		}
		p.Faults = append(p.Faults, x)
	}
}

// cutSides reads the two sides of "partition m1 | m2, m3".
func cutSides(text string) (one, other []string, ok bool) {
	_, sides, _ := strings.Cut(text, " ")
	for _, sign := range []string{" | ", " > "} {
		if left, right, found := strings.Cut(sides, sign); found {
			return strings.Split(left, ", "), strings.Split(right, ", "), true
		}
	}
	return nil, nil, false
}

func (p *picture) addEvidence(verdicts []promise.Verdict) {
	for _, v := range verdicts {
		for _, e := range v.Evidence {
			p.Evidence = append(p.Evidence, evidence{v.Promise, micros(e.At), e.Text})
		}
	}
}

// until is the end of something that may not have ended.
func until(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return micros(d)
}
