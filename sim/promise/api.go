package promise

import (
	"slices"
	"strings"

	"orrery/proto/orrerypb"
)

// This file is for histories whose clients spoke the HTTP API, which does not say all that
// a member knows: no numbers of jobs, and little of what a write came to.

// FillIn adds from the log what clients of the API were not told, and the requests that
// members made for their operators. It is called once, before the history is judged; what
// clients knew of a job's order is judged without what was added.
func (h *History) FillIn() {
	h.API = true
	answers := h.answers()
	h.Requests = append(h.Requests, h.membersOwn()...)
	for i := range h.Requests {
		r := &h.Requests[i]
		answer, told := answers[r.Request.GetRequestId()], r.Response.GetAnswer()
		if told == nil || told.GetCode() != "" || answer == nil {
			continue
		}
		told.Uid, told.Changed = answer.GetUid(), answer.GetChanged()
		if told.GetVersion() == 0 {
			told.Version = answer.GetVersion()
		}
		if told.GetExecution() == 0 {
			told.Execution = answer.GetExecution()
		}
		if told.GetIndex() == 0 {
			told.Index = answer.GetIndex()
		}
	}
}

// answers are what the log answered requests: with an effect, or first.
func (h *History) answers() map[string]*orrerypb.Answer {
	answers := map[string]*orrerypb.Answer{}
	for i := range h.Commits {
		c := &h.Commits[i]
		if !admitted(c) {
			continue
		}
		for i, command := range c.Entry.GetCommands() {
			id := command.GetRequestId()
			if known := answers[id]; id != "" && (known == nil || c.Answers[i].GetChanged() && !known.GetChanged()) {
				answers[id] = c.Answers[i]
			}
		}
	}
	return answers
}

// membersOwn are the requests that agents made for their operators: what is configured on
// whoever leads becomes a setting of the cluster.
func (h *History) membersOwn() (own []Request) {
	for _, c := range h.Commits {
		for _, command := range c.Entry.GetCommands() {
			set := command.GetSetClusterConfig()
			member, _, _ := strings.Cut(command.GetRequestId(), "/")
			if set == nil || !slices.ContainsFunc(h.Members, func(m Member) bool { return m.Name == member }) {
				continue
			}
			own = append(own, Request{Client: member, Member: member, Answered: -1, Tries: 1, Request: &orrerypb.Request{
				RequestId: command.GetRequestId(), Body: &orrerypb.Request_Config{Config: set},
			}})
		}
	}
	return own
}

// asTold is a request as a client of the API knows it, who is never told the number of a
// job.
func asTold(r Request) Request {
	if a := r.Response.GetAnswer(); a.GetUid() != 0 {
		r.Response = &orrerypb.Response{
			Answer: &orrerypb.Answer{Code: a.Code, Version: a.Version, Changed: a.Changed},
			Jobs:   r.Response.Jobs, Total: r.Response.Total,
		}
	}
	return r
}
