package scenario

func (p *parser) job(l *line) {
	if len(p.s.Jobs) == maxJobs {
		l.failf("there are %d lines with jobs above, and no more may be; times defines many jobs on one line", maxJobs)
		return
	}
	p.s.Jobs = append(p.s.Jobs, readJob(l))
}

// readJob reads a job from its name to the end of the line.
func readJob(l *line) Job {
	j := Job{Line: l.no}
	j.Name = l.name("a job's name")
	if isVerb(j.Name) {
		l.failf("a job may not be called %q: that is a verb, and a line could be read two ways", j.Name)
	}
	j.Schedule = readSchedule(l)
	readOptions(l, "job "+j.Name, jobOptions, &j)
	return j
}

// scheduleWords is what a schedule begins with.
var scheduleWords = vocabulary[string]{kind: "schedule", now: []string{"every", "cron", "at", "manually", "after", "needs"}}

// scheduleExamples shows a person how schedules look.
const scheduleExamples = `schedules are every 10s, cron "0 * * * * *", at 2m, manually, after JOB on success, needs JOB and JOB`

func readSchedule(l *line) Schedule {
	switch word := l.word("a schedule (" + scheduleExamples + ")"); {
	case !l.ok():
		return Schedule{}
	case word == "every":
		return Schedule{Kind: Every, Every: l.duration()}
	case word == "cron":
		return Schedule{Kind: Cron, Cron: l.text(`a cron expression in quotes (such as "0 * * * * *")`)}
	case word == "at":
		return Schedule{Kind: AtOnce, At: l.moment()}
	case word == "manually":
		return Schedule{Kind: Manually}
	case word == "after":
		return Schedule{Kind: After, Join: JoinAll, Needs: []Need{readNeed(l)}}
	case word == "needs":
		return readNeeds(l)
	default:
		l.failf("unknown schedule %s%s (%s)", quote(word), didYouMean(word, scheduleWords.now), scheduleExamples)
		return Schedule{}
	}
}

// readNeeds reads parents, joined all with "and" or all with "or".
func readNeeds(l *line) Schedule {
	s := Schedule{Kind: After, Join: JoinAll, Needs: []Need{readNeed(l)}}
	if l.ahead(0) == string(JoinAny) {
		s.Join = JoinAny
	}
	for l.accept(string(s.Join)) {
		s.Needs = append(s.Needs, readNeed(l))
	}
	if word := l.ahead(0); word == string(JoinAll) || word == string(JoinAny) {
		l.fail(`"and" and "or" do not mix: a job needs all of its parents or any of them`)
	}
	return s
}

// readNeed reads a parent and perhaps its outcome. An "on" before a tag belongs to the job, not to the parent.
func readNeed(l *line) Need {
	n := Need{Job: l.name("a job's name"), On: OnSuccess}
	if l.ahead(0) == "on" && !isTag(l.ahead(1)) {
		l.expect("on")
		n.On = conditions.read(l)
	}
	return n
}

func isTag(word string) bool {
	_, err := parsePlace(word)
	return err == nil
}
