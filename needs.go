package orrery

import "slices"

// FindCycle returns the shortest cycle of needs that leads from name back to it, as
// the path of job names with name at both ends, or nil when there is none. needs
// says which jobs a job runs after; a job that it does not know has none. Of several
// shortest cycles the one whose first differing step needs names first is returned.
func FindCycle(name string, needs func(job string) []string) []string {
	reachedFrom := map[string]string{}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		job := queue[0]
		for _, need := range needs(job) {
			if need == name {
				return pathBack(name, job, reachedFrom)
			}
			if _, seen := reachedFrom[need]; !seen {
				reachedFrom[need] = job
				queue = append(queue, need)
			}
		}
	}
	return nil
}

// pathBack walks from last, which needs name, to where the search began.
func pathBack(name, last string, reachedFrom map[string]string) []string {
	path := []string{name}
	for job := last; job != name; job = reachedFrom[job] {
		path = append(path, job)
	}
	path = append(path, name)
	slices.Reverse(path)
	return path
}
