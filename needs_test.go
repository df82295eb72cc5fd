package orrery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFindCycle(t *testing.T) {
	tests := map[string]struct {
		edges string // "a>b a>c": a needs b and c, in this order
		want  string
	}{
		"alone":                               {"", ""},
		"a chain is no cycle":                 {"a>b b>c", ""},
		"a diamond is no cycle":               {"a>b a>c b>d c>d", ""},
		"itself":                              {"a>a", "a a"},
		"two":                                 {"a>b b>a", "a b a"},
		"the way there and back":              {"a>b b>c c>d d>a", "a b c d a"},
		"the shortest":                        {"a>b b>c c>a a>d d>a", "a d a"},
		"the first named of the shortest":     {"a>c a>b b>d c>d d>a", "a c d a"},
		"one step in, the first named again":  {"a>b b>y b>x x>a y>a", "a b y a"},
		"a cycle among others is not its own": {"a>b b>c c>b", ""},
		"what it needs may be unknown":        {"a>nowhere", ""},
		"needing one twice is one":            {"a>b a>b b>a", "a b a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(FindCycle("a", needsOf(test.edges)), " ")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func needsOf(edges string) func(string) []string {
	needs := map[string][]string{}
	for _, edge := range strings.Fields(edges) {
		job, need, _ := strings.Cut(edge, ">")
		needs[job] = append(needs[job], need)
	}
	return func(job string) []string { return needs[job] }
}

// TestFindCycleAgainstClosure holds the answer against the transitive closure.
func TestFindCycleAgainstClosure(t *testing.T) {
	const jobs = 7
	rapid.Check(t, func(t *rapid.T) {
		var needs [jobs][]int
		var steps [jobs][jobs]int // of the shortest way; 0: none
		for _, edge := range rapid.SliceOfN(rapid.IntRange(0, jobs*jobs-1), 0, 14).Draw(t, "edges") {
			from, to := edge/jobs, edge%jobs
			needs[from] = append(needs[from], to)
			steps[from][to] = 1
		}
		for via := range jobs {
			for from := range jobs {
				for to := range jobs {
					a, b := steps[from][via], steps[via][to]
					if a > 0 && b > 0 && (steps[from][to] == 0 || a+b < steps[from][to]) {
						steps[from][to] = a + b
					}
				}
			}
		}
		for from := range jobs {
			cycle := FindCycle(fmt.Sprint(from), func(job string) []string {
				var names []string
				for _, need := range needs[job[0]-'0'] {
					names = append(names, fmt.Sprint(need))
				}
				return names
			})
			if max(len(cycle)-1, 0) != steps[from][from] {
				t.Fatalf("from %d: %v; the shortest way back has %d steps", from, cycle, steps[from][from])
			}
			for i := range max(len(cycle)-1, 0) {
				if !slices.Contains(needs[cycle[i][0]-'0'], int(cycle[i+1][0]-'0')) {
					t.Fatalf("from %d: %v: %s does not need %s", from, cycle, cycle[i], cycle[i+1])
				}
			}
			if cycle != nil && (cycle[0] != fmt.Sprint(from) || cycle[0] != cycle[len(cycle)-1]) {
				t.Fatalf("from %d: %v does not begin and end there", from, cycle)
			}
		}
	})
}

func TestFindCycleInALongChain(t *testing.T) {
	const length = 100_000
	cycle := FindCycle("0", func(job string) []string {
		var n int
		fmt.Sscan(job, &n)
		return []string{fmt.Sprint((n + 1) % length)}
	})
	if len(cycle) != length+1 {
		t.Errorf("a cycle of %d jobs has %d names; want its first again at the end", length, len(cycle))
	}
}
