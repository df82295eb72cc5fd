package orrery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCount(t *testing.T) {
	tests := map[string]struct {
		tags  map[string]string
		all   bool // targets
		count int
		dkron int // the count under Dkron's placement
	}{
		"no tags are one member":            {nil, false, 1, 0},
		"a tag without a number is one":     {map[string]string{"role": "web"}, false, 1, 0},
		"a tag's number":                    {map[string]string{"role": "web:3"}, false, 3, 3},
		"one that was asked for stays one":  {map[string]string{"role": "web:1"}, false, 1, 1},
		"the smallest number counts":        {map[string]string{"role": "web:3", "zone": "a:2", "disk": "ssd"}, false, 2, 2},
		"all":                               {nil, true, 0, 0},
		"what is no number is of the value": {map[string]string{"addr": "a:b"}, false, 1, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			j := Job{Tags: test.tags}
			if test.all {
				j.Targets = TargetsAll
			}
			count, dkron := j.Placement(ClusterConfig{}).Count(), j.Placement(ClusterConfig{DkronPlacement: true}).Count()
			if count != test.count || dkron != test.dkron {
				t.Errorf("count %d, as Dkron %d; want %d and %d", count, dkron, test.count, test.dkron)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	member := map[string]string{"role": "web", "zone": "a", "addr": "10.0.0.1:80", "empty": ""}
	tests := map[string]struct {
		tags map[string]string
		want bool
	}{
		"no tags match everybody":        {nil, true},
		"the same value":                 {map[string]string{"role": "web"}, true},
		"the number is not of the value": {map[string]string{"role": "web:2"}, true},
		"another value":                  {map[string]string{"role": "db"}, false},
		"all must match":                 {map[string]string{"role": "web", "zone": "b"}, false},
		"all match":                      {map[string]string{"role": "web:2", "zone": "a"}, true},
		"a tag that the member lacks":    {map[string]string{"disk": ""}, false},
		"an empty value":                 {map[string]string{"empty": ":2"}, true},
		"a colon in the value":           {map[string]string{"addr": "10.0.0.1:80:1"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (Placement{Tags: test.tags}).Matches(member); got != test.want {
				t.Errorf("matches: %t, want %t", got, test.want)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	web := map[string]string{"role": "web"}
	a := Candidate{Member: "a", Tags: web, Running: 3, Slots: 4, Executors: []string{"shell"}}
	b := Candidate{Member: "b", Tags: web, Running: 1, Slots: 4, Executors: []string{"http", "shell"}}
	c := Candidate{Member: "c", Tags: web, Running: 2}
	full := Candidate{Member: "full", Tags: web, Running: 0, Slots: 0}
	full.Running, full.Slots = 1, 1
	db := Candidate{Member: "db", Tags: map[string]string{"role": "db"}}
	one, two := Placement{Tags: web}, Placement{Tags: map[string]string{"role": "web:2"}}
	nine, all := Placement{Tags: map[string]string{"role": "web:9"}}, Placement{Tags: web, Targets: TargetsAll}
	tests := map[string]struct {
		placement  Placement
		candidates []Candidate
		avoid      string
		want       string
	}{
		"the least busy that matches":                  {one, []Candidate{a, b, c, db}, "", "b"},
		"as many as asked, the least busy first":       {two, []Candidate{a, b, c, db}, "", "b c"},
		"all that match where fewer do":                {nine, []Candidate{a, b, c, db}, "", "b c a"},
		"nobody":                                       {one, nil, "", ""},
		"nobody matches":                               {two, []Candidate{db}, "", ""},
		"a full member is passed over":                 {one, []Candidate{a, full}, "", "a"},
		"nothing while all are full":                   {one, []Candidate{full, db}, "", ""},
		"not fewer because one is full":                {two, []Candidate{a, full}, "", ""},
		"all, by name, however busy":                   {all, []Candidate{full, c, b, db, a}, "", "a b c full"},
		"all, though one is to be avoided":             {all, []Candidate{a, b}, "b", "a b"},
		"one to avoid":                                 {one, []Candidate{a, b, c}, "b", "c"},
		"several to avoid":                             {one, []Candidate{a, b, c}, "b c", "a"},
		"to be avoided, but no other matches":          {one, []Candidate{b, db}, "b", "b"},
		"to be avoided, and the other is full for now": {one, []Candidate{b, full}, "b", ""},
		"one that offers the executor":                 {Placement{Executor: "http"}, []Candidate{a, b}, "", "b"},
		"one that may offer any executor":              {Placement{Executor: "kafka"}, []Candidate{a, b, c}, "", "c"},
		"all that offer the executor":                  {Placement{Executor: "shell", Targets: TargetsAll}, []Candidate{a, b, c}, "", "a b c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for key := range uint64(20) {
				got := strings.Join(test.placement.Choose(test.candidates, key, strings.Fields(test.avoid)...), " ")
				if got != test.want {
					t.Fatalf("key %d: got %q, want %q", key, got, test.want)
				}
			}
		})
	}
}

func TestPlacementOfJob(t *testing.T) {
	j := Job{Tags: map[string]string{"role": "web"}, Targets: TargetsAll, Executor: "http"}
	if p := j.Placement(ClusterConfig{}); p.Targets != TargetsAll || p.Executor != "http" || p.Tags["role"] != "web" {
		t.Errorf("got %+v", p)
	}
}

// TestChooseAsPromised holds any choice against the words of Choose.
func TestChooseAsPromised(t *testing.T) {
	role := rapid.SampledFrom([]string{"web", "db"})
	few := rapid.IntRange(0, 3)
	rapid.Check(t, func(t *rapid.T) {
		p := Placement{Tags: map[string]string{"role": fmt.Sprintf("web:%d", rapid.IntRange(1, 5).Draw(t, "n"))}}
		var candidates []Candidate
		for i := range rapid.IntRange(0, 8).Draw(t, "members") {
			candidates = append(candidates, Candidate{
				Member: fmt.Sprint("m", i), Tags: map[string]string{"role": role.Draw(t, "role")}, Running: few.Draw(t, "running"), Slots: few.Draw(t, "slots"),
			})
		}
		avoid := rapid.SliceOfN(rapid.SampledFrom([]string{"m0", "m1", "m2", "elsewhere"}), 0, 3).Draw(t, "avoid")
		key := rapid.Uint64().Draw(t, "key")
		given := slices.Clone(candidates)
		chosen := p.Choose(candidates, key, avoid...)
		if fmt.Sprint(candidates) != fmt.Sprint(given) {
			t.Fatalf("the candidates were %v and are %v", given, candidates)
		}
		if again := p.Choose(rapid.Permutation(candidates).Draw(t, "order"), key, avoid...); !slices.Equal(again, chosen) {
			t.Fatalf("in one order %v, in another %v", chosen, again)
		}

		matching := slices.DeleteFunc(slices.Clone(candidates), func(c Candidate) bool { return c.Tags["role"] != "web" })
		isAvoided := func(c Candidate) bool { return slices.Contains(avoid, c.Member) }
		if others := slices.DeleteFunc(slices.Clone(matching), isAvoided); len(others) > 0 {
			matching = others
		}
		free := slices.DeleteFunc(slices.Clone(matching), func(c Candidate) bool { return c.Slots > 0 && c.Running >= c.Slots })
		wanted := min(p.Count(), len(matching))
		if len(free) < wanted {
			wanted = 0
		}
		if len(chosen) != wanted {
			t.Fatalf("chose %v; want %d of %v", chosen, wanted, free)
		}
		load := -1
		for _, member := range chosen {
			i := slices.IndexFunc(free, func(c Candidate) bool { return c.Member == member })
			if i < 0 || free[i].Running < load {
				t.Fatalf("chose %v of %v: %s is not free, not there, chosen twice, or out of order", chosen, free, member)
			}
			load = free[i].Running
			free = slices.Delete(free, i, i+1)
		}
		for _, c := range free {
			if wanted > 0 && c.Running < load {
				t.Fatalf("chose %v, the last with %d running; %v is less busy", chosen, load, c)
			}
		}
	})
}

// TestChooseIsEven: over many keys, equals are chosen equally often, and whom one
// choice takes says nothing about the next.
func TestChooseIsEven(t *testing.T) {
	const members, keys = 10, 10_000
	var candidates []Candidate
	for i := range members {
		candidates = append(candidates, Candidate{Member: fmt.Sprint("member-", i)})
	}
	counts, pairs := map[string]int{}, map[string]int{}
	last := ""
	for key := range uint64(keys) {
		member := Placement{}.Choose(candidates, key)[0]
		counts[member]++
		pairs[last+member]++
		last = member
	}
	for _, c := range candidates {
		if n := counts[c.Member]; n < 850 || n > 1150 {
			t.Errorf("%s was chosen %d times of %d; want about %d", c.Member, n, keys, keys/members)
		}
		for _, next := range candidates {
			if n := pairs[c.Member+next.Member]; n < 50 || n > 150 {
				t.Errorf("%s was followed by %s %d times of %d; want about %d", c.Member, next.Member, n, keys, keys/members/members)
			}
		}
	}
}

// TestDrawIsForEver: servers of two versions must agree.
func TestDrawIsForEver(t *testing.T) {
	if got, want := mix(0), uint64(0xe220a8397b1dcdaf); got != want { // the first number of splitmix64 seeded with 0
		t.Errorf("mix(0) = %#x, want %#x", got, want)
	}
	if got, want := mixText(1, ""), mix(mix(1)^0xcbf29ce484222325); got != want {
		t.Errorf(`mixText(1, "") = %#x, want %#x`, got, want)
	}
	if got, want := mixText(1, "foobar"), mix(mix(1)^0x85944171f73967e8); got != want { // from the FNV page
		t.Errorf(`mixText(1, "foobar") = %#x, want %#x`, got, want)
	}
}
