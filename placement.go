package orrery

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Placement says on which members an execution runs: which may, and how many do.
type Placement struct {
	Tags     map[string]string // all must match; "value:n" asks for n members; the smallest n counts
	Targets  Targets
	Executor string // which a member must offer; "" asks for none
}

// Candidate is a member that is alive, as far as a choice looks at it.
type Candidate struct {
	Member    string // no two candidates have the same
	Tags      map[string]string
	Running   int      // what its attempts take of Slots
	Slots     int      // how much they may take at once; 0: no limit
	Executors []string // that it offers; nil: all
}

// Placement returns where the job runs. Under cfg.DkronPlacement a job whose tags ask
// for no number runs on every member that matches, as in Dkron.
func (j Job) Placement(cfg ClusterConfig) Placement {
	p := Placement{Tags: j.Tags, Targets: j.Targets, Executor: j.Executor}
	if cfg.DkronPlacement && p.asked() == 0 {
		p.Targets = TargetsAll
	}
	return p
}

// Count is how many members an execution runs on where that many match; 0: on all
// that match.
func (p Placement) Count() int {
	if p.Targets == TargetsAll {
		return 0
	}
	return max(p.asked(), 1)
}

// asked is the smallest n of the tags; 0: none has one.
func (p Placement) asked() int {
	smallest := 0
	for _, tag := range p.Tags {
		if _, n, _ := splitTag(tag); n > 0 && (smallest == 0 || n < smallest) {
			smallest = n
		}
	}
	return smallest
}

// Matches reports whether a member with these tags has every tag that p names, with
// the same value.
func (p Placement) Matches(tags map[string]string) bool {
	for key, tag := range p.Tags {
		want, _, _ := splitTag(tag)
		if got, has := tags[key]; !has || got != want {
			return false
		}
	}
	return true
}

// Choose returns the members to run on, or nil when it cannot be now.
//
// With TargetsAll they are all candidates that match, by name, however busy: each has
// its part to do, and the part waits there for a free slot.
//
// Otherwise they are Count of those that match, or all of those where fewer do: the
// ones with the least attempts running, and among equals those that key draws. All of
// them must have a free slot; an execution does not shrink because the cluster is
// busy, it waits. Members to avoid are chosen only where no other matches, busy or not.
//
// The answer depends on nothing else, in particular not on the order of the
// candidates. Over many keys it is even.
func (p Placement) Choose(candidates []Candidate, key uint64, avoid ...string) []string {
	matching := p.rank(candidates, key, avoid)
	if p.Targets == TargetsAll {
		slices.SortFunc(matching, func(a, b ranked) int { return strings.Compare(a.member, b.member) })
		return membersOf(matching)
	}
	if slices.ContainsFunc(matching, func(r ranked) bool { return !r.avoid }) {
		matching = slices.DeleteFunc(matching, func(r ranked) bool { return r.avoid })
	}
	wanted := min(p.Count(), len(matching))
	free := slices.DeleteFunc(matching, func(r ranked) bool { return r.full })
	if wanted > len(free) {
		return nil
	}
	slices.SortFunc(free, ranked.compare)
	return membersOf(free[:wanted])
}

// ranked is a candidate that matches, as one choice sees it.
type ranked struct {
	member  string
	running int
	draw    uint64
	full    bool
	avoid   bool
}

func (p Placement) rank(candidates []Candidate, key uint64, avoid []string) []ranked {
	matching := make([]ranked, 0, len(candidates))
	for _, c := range candidates {
		if !p.Matches(c.Tags) || !c.offers(p.Executor) {
			continue
		}
		matching = append(matching, ranked{
			member:  c.Member,
			running: c.Running,
			draw:    mixText(key, c.Member),
			full:    c.Slots > 0 && c.Running >= c.Slots,
			avoid:   slices.Contains(avoid, c.Member),
		})
	}
	return matching
}

func (c Candidate) offers(executor string) bool {
	return executor == "" || c.Executors == nil || slices.Contains(c.Executors, executor)
}

// compare puts the less busy first, and equals as the key drew them.
func (r ranked) compare(other ranked) int {
	if r.running != other.running {
		return cmp.Compare(r.running, other.running)
	}
	if r.draw != other.draw {
		return cmp.Compare(r.draw, other.draw)
	}
	return strings.Compare(r.member, other.member)
}

func membersOf(chosen []ranked) []string {
	var members []string
	for _, r := range chosen {
		members = append(members, r.member)
	}
	return members
}

// splitTag reads the value of a tag: "value", or "value:n" for n members. A value
// that holds a colon needs the n. On an error the value is the whole text.
func splitTag(tag string) (value string, n int, err error) {
	i := strings.LastIndexByte(tag, ':')
	if i < 0 {
		return tag, 0, nil
	}
	n, err = strconv.Atoi(tag[i+1:])
	if err != nil || n < 1 || n > maxTagMembers {
		return tag, 0, Invalidf("%s: expected a number of members from 1 to %d after the last colon", quoted(tag), maxTagMembers)
	}
	return tag[:i], n, nil
}
