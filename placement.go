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
	Running   int      // attempts there
	Slots     int      // attempts that it takes at once; 0: no limit
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
	var matching, others []Candidate
	for _, c := range candidates {
		if !p.admits(c) {
			continue
		}
		matching = append(matching, c)
		if !slices.Contains(avoid, c.Member) {
			others = append(others, c)
		}
	}
	if p.Targets == TargetsAll {
		return byName(matching)
	}
	if others != nil {
		matching = others
	}
	wanted := min(p.Count(), len(matching))
	free := byLoad(matching, key)
	if wanted > len(free) {
		return nil
	}
	return free[:wanted]
}

func (p Placement) admits(c Candidate) bool {
	return p.Matches(c.Tags) && (p.Executor == "" || c.Executors == nil || slices.Contains(c.Executors, p.Executor))
}

func (c Candidate) full() bool { return c.Slots > 0 && c.Running >= c.Slots }

func byName(candidates []Candidate) []string {
	var members []string
	for _, c := range candidates {
		members = append(members, c.Member)
	}
	slices.Sort(members)
	return members
}

// byLoad returns the candidates with a free slot, the least busy first and among equals
// as key draws.
func byLoad(candidates []Candidate, key uint64) []string {
	type ranked struct {
		running int
		draw    uint64
		member  string
	}
	var free []ranked
	for _, c := range candidates {
		if !c.full() {
			free = append(free, ranked{c.Running, mixText(key, c.Member), c.Member})
		}
	}
	slices.SortFunc(free, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.running, b.running), cmp.Compare(a.draw, b.draw), strings.Compare(a.member, b.member))
	})
	var members []string
	for _, r := range free {
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
