package scenario

import (
	"os"
	"strings"
	"testing"
)

// examples returns the fenced blocks of the language reference.
func examples(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("../../scenarios/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(content), "```") {
		if i%2 == 1 {
			blocks = append(blocks, part[strings.IndexByte(part, '\n')+1:])
		}
	}
	if len(blocks) < 10 {
		t.Fatalf("the reference has %d examples; is it the right file?", len(blocks))
	}
	return blocks
}

// whole gives an excerpt the lines that every scenario needs.
func whole(text string) string {
	if strings.Contains(text, "members ") {
		return text
	}
	return "members 3 servers, 2 agents\nlasts 10m\n" + text
}

func TestEveryExampleOfTheReferenceParses(t *testing.T) {
	for _, text := range examples(t) {
		if _, err := Parse("README.md", []byte(whole(text))); err != nil {
			t.Errorf("%v\nin:\n%s", err, text)
		}
	}
}

// words returns every word of the language, so that a word added to a table without an example in the reference is noticed.
func words() []string {
	var all []string
	for _, s := range statements {
		all = append(all, s.word)
	}
	all = append(all, clauseWords...)
	all = append(all, scheduleWords.now...)
	all = append(all, optionWords(jobOptions)...)
	all = append(all, optionWords(backoffOptions)...)
	all = append(all, optionWords(clusterOptions)...)
	all = append(all, optionWords(networkOptions)...)
	all = append(all, optionWords(clientOptions)...)
	for _, list := range []string{
		ops.list(), engines.list(), conditions.list(), retryOns.list(), overlaps.list(), queueKeeps.list(), misfires.list(), deliveries.list(),
		onLosts.list(), gaps.list(), repeats.list(), events.list(), faultVerbs.list(), stepVerbs.list(), targets.list(), promises.list(), offsets.list(), rates.list(), sets.list(),
		"to, term, factor, max, first, always, core, because, probe, within, of, heal, and, or, server, servers, agents, |, >",
	} {
		all = append(all, strings.Split(list, ", ")...)
	}
	return all
}

func TestReferenceHasAnExampleOfEveryWord(t *testing.T) {
	shown := map[string]bool{}
	for _, text := range examples(t) {
		for _, line := range strings.Split(text, "\n") {
			l := split(1, line)
			for i, tok := range l.toks {
				shown[tok.text] = true
				if i > 0 {
					shown[l.toks[i-1].text+" "+tok.text] = true
				}
			}
		}
	}
	for _, word := range words() {
		if !shown[word] {
			t.Errorf("%q is in no example", word)
		}
	}
}
