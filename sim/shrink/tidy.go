package shrink

import (
	"bytes"
	"errors"
	"strings"

	"orrery/sim/scenario"
)

// tidy returns a scenario as its own text reads, and the text. Lines that make no sense any more are dropped: the job
// whose parent is gone, the fault after the end. The language itself says which they are. It returns false when nothing
// sensible is left.
func tidy(s *scenario.Scenario) (*scenario.Scenario, string, bool) {
	text := scenario.Print(s)
	for {
		parsed, err := scenario.Parse(s.Name, text)
		if err == nil {
			return parsed, string(text), true
		}
		shorter, ok := dropLines(text, err)
		if !ok {
			return nil, "", false
		}
		text = shorter
	}
}

// dropLines leaves out the lines that an error is about. It returns false when one is about the head, which no scenario
// can do without, or about no line.
func dropLines(text []byte, err error) ([]byte, bool) {
	var wrong scenario.Errors
	if !errors.As(err, &wrong) {
		return nil, false
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for _, e := range wrong {
		if e.Line < 1 || e.Line > len(lines) || isHead(string(lines[e.Line-1])) {
			return nil, false
		}
		lines[e.Line-1] = nil
	}
	return bytes.Join(lines, nil), true
}

func isHead(line string) bool {
	return strings.HasPrefix(line, "members") || strings.HasPrefix(line, "lasts") || strings.HasPrefix(line, "seeds")
}

// Lines counts the lines of a scenario that say something: no comments, no blank ones.
func Lines(s *scenario.Scenario) int {
	n := 0
	for line := range strings.Lines(string(scenario.Print(s))) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}
