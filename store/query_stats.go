package store

import (
	"slices"

	"orrery"
	"orrery/proto/orrerypb"
)

// stats lists the latest days on which executions ended.
func (q query) stats(req *orrerypb.StatsRequest, r *orrerypb.Response) error {
	limit := int(req.Days)
	switch {
	case req.Days > daysKept:
		return orrery.Invalidf("stats: %d days, want at most %d, or 0 for all that are kept", req.Days, daysKept)
	case limit == 0:
		limit = daysKept
	}
	q.t.scanDown(daySpace, "", func(_, value string) bool {
		if len(r.Days) == limit {
			return false
		}
		count := new(orrerypb.DayCount)
		decode(value, count)
		r.Days = append(r.Days, count)
		return true
	})
	slices.Reverse(r.Days)
	r.Total = uint64(q.s.kv.count(daySpace))
	return nil
}
