package main

import (
	"regexp"
	"slices"
	"strings"

	"orrery/sim/promise"
	"orrery/sim/scenario"
)

// signature tells failures apart: two runs that broke the same promise, for jobs of the
// same family, in the same way, met the same thing until somebody shows otherwise.
type signature struct {
	promise string
	job     string // or family of jobs; "" when the evidence names none
	kind    string // the evidence without what differs from run to run
}

func (s signature) String() string {
	if s.job == "" {
		return s.promise + ": " + s.kind
	}
	return s.promise + " of " + s.job + ": " + s.kind
}

// signatureOf is that of a broken promise, by its first evidence: what follows the first
// breach most often follows from it.
func signatureOf(s *scenario.Scenario, v promise.Verdict) signature {
	text, _, _ := strings.Cut(v.Evidence[0].Text, "\n")
	job := familyIn(s, text)
	return signature{promise: v.Promise, job: job, kind: kindOf(text, s)}
}

// words are what a job's name can be among.
var words = regexp.MustCompile(`[A-Za-z0-9_][A-Za-z0-9_.-]*`)

// familyIn finds the job that a text is about: the first that stands where a sentence
// names one, else the first word that is one's name.
func familyIn(s *scenario.Scenario, text string) string {
	before, first := "", ""
	for _, word := range words.FindAllString(text, -1) {
		family := familyOf(s, strings.TrimRight(word, "."))
		switch {
		case family != "" && (before == "" || before == "of" || before == "job"):
			return family
		case first == "":
			first = family
		}
		before = word
	}
	return first
}

// clientJob is the name of a job that a client of the simulator put: c2-a. They are one
// family: which client it was is chance.
var clientJob = regexp.MustCompile(`^c\d+-[a-z]$`)

// familyOf is the job called name, or the family that it is of; "" for what is no job.
func familyOf(s *scenario.Scenario, name string) string {
	if len(s.Clients) > 0 && clientJob.MatchString(name) {
		return "clients"
	}
	base := name
	if dash := strings.LastIndexByte(name, '-'); dash > 0 && strings.Trim(name[dash+1:], "0123456789") == "" {
		base = name[:dash]
	}
	for _, j := range allJobs(s) {
		if j.Name == name || j.Times > 0 && j.Name == base {
			return j.Name
		}
	}
	return ""
}

// allJobs are those of the scenario and those that its steps put.
func allJobs(s *scenario.Scenario) []scenario.Job {
	jobs := slices.Clone(s.Jobs)
	for _, st := range s.Steps {
		if st.Verb == scenario.StepPut {
			jobs = append(jobs, st.Put)
		}
	}
	return jobs
}

// masks are what differs from run to run, each with what stands for it. The longer ones
// come first: a moment is made of numbers.
var masks = []struct {
	what *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), "“”"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?: ?[+-]\d\d:?\d\d| ?[A-Z]{1,4}\b)*`), "T"},
	{regexp.MustCompile(`-?\b\d+:\d\d:\d\d(?:\.\d+)?\b`), "T"},
	{regexp.MustCompile(`-?\b(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhd]))+\b`), "T"},
	{regexp.MustCompile(`\b(?:0x[0-9a-f]+|[0-9a-f]{16,})\b`), "N"},
	{regexp.MustCompile(`\b[a-z]\d+\b`), "M"},
	{regexp.MustCompile(`\bM(?:,? M\b)+`), "M"},
	{regexp.MustCompile(`-?\b\d+(?:\.\d+)*\b`), "N"},
}

// kindOf masks the names of jobs and members, moments, spans and numbers of a text.
func kindOf(text string, s *scenario.Scenario) string {
	text = words.ReplaceAllStringFunc(text, func(word string) string {
		name := strings.TrimRight(word, ".")
		if familyOf(s, name) == "" {
			return word
		}
		return "JOB" + word[len(name):]
	})
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.mask)
	}
	return text
}
