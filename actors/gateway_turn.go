package actors

import (
	"slices"

	"orrery/proto/orrerypb"
)

// turns lets the writes of a job go one after the other at the leader. Each is computed
// from the job as it is, so of several under way at once one is taken, and all others are
// read, computed and proposed again: over a slow network a hundred clients of one job left
// no room for anything else.
//
// A line holds who writes a job, by its name, and who waits, in the order of arrival. The
// newest goes next: where more are asked for than the log can take, those that have waited
// longest are given up by their clients soon, and to serve them first is to serve nobody.
type turns map[string][]*clientRequest

// contended names the job that a write can be thwarted by another write of.
func contended(r *orrerypb.Request) (job string, yes bool) {
	switch b := r.GetBody().(type) {
	case *orrerypb.Request_PutJob:
		return b.PutJob.GetJob().GetName(), true
	case *orrerypb.Request_DeleteJob:
		return b.DeleteJob.GetName(), true
	case *orrerypb.Request_Toggle:
		return b.Toggle.GetName(), true
	}
	return "", false
}

// doubles reports whether the Gateway that passed a request on has done so before, and the
// former sending stands in line: its answer serves as well.
func (t turns) doubles(r *clientRequest) bool {
	return r.origin.passedOn() && slices.ContainsFunc(t.copies(r), func(other *clientRequest) bool {
		return other.origin.to == r.origin.to && other.origin.incarnation == r.origin.incarnation
	}) && !t.stands(r)
}

func (t turns) stands(r *clientRequest) bool {
	job, _ := contended(r.body)
	return slices.Contains(t[job], r)
}

// take stands a write in line, unless it does, and reports whether it is its turn.
func (t turns) take(r *clientRequest) bool {
	job, yes := contended(r.body)
	if !yes {
		return true
	}
	if !slices.Contains(t[job], r) {
		t[job] = append(t[job], r)
	}
	return t[job][0] == r
}

// leave takes a write out of its line and returns the one whose turn it is now; nil: it is
// nobody's, or was not this one's.
func (t turns) leave(r *clientRequest) (next *clientRequest) {
	job, _ := contended(r.body)
	line := t[job]
	i := slices.Index(line, r)
	if i < 0 {
		return nil
	}
	line = slices.Delete(line, i, i+1)
	if len(line) == 0 {
		delete(t, job)
		return nil
	}
	t[job] = line
	if i > 0 {
		return nil
	}
	newest := line[len(line)-1]
	copy(line[1:], line)
	line[0] = newest
	return newest
}

// copies are those that wait behind a write and are the same request, sent again.
func (t turns) copies(r *clientRequest) (same []*clientRequest) {
	job, _ := contended(r.body)
	for _, other := range t[job] {
		if other != r && other.body.GetRequestId() == r.body.GetRequestId() {
			same = append(same, other)
		}
	}
	return same
}
