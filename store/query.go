package store

import (
	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
)

// query reads the state for one request.
type query struct {
	s *State
	t *tx
}

// Answer answers a request that only reads: get_job, list_jobs, list_executions,
// get_execution, stats and status. It never fails: Answer.code says not_found when what was
// asked for is not there, and invalid, with a text that names what is accepted, for all
// that can never be answered. Records in the response are shared and not to be changed.
//
// Total is the length of a list before paging. Index is that of the entry applied last,
// in every response; paused and the settings come with status.
func (s *State) Answer(req *orrerypb.Request) *orrerypb.Response {
	r := &orrerypb.Response{Answer: &orrerypb.Answer{}, Index: s.index}
	var err error
	s.kv.view(func(t *tx) { err = query{s: s, t: t}.answer(req, r) })
	if err != nil {
		refused := &orrerypb.Answer{Code: string(orrery.CodeOf(err)), Text: err.Error()}
		return &orrerypb.Response{Answer: refused, Index: s.index}
	}
	return r
}

func (q query) answer(req *orrerypb.Request, r *orrerypb.Response) error {
	switch body := req.GetBody().(type) {
	case *orrerypb.Request_GetJob:
		return q.job(body.GetJob.GetName(), r)
	case *orrerypb.Request_ListJobs:
		return q.jobs(body.ListJobs, r)
	case *orrerypb.Request_ListExecutions:
		return q.executions(body.ListExecutions, r)
	case *orrerypb.Request_GetExecution:
		return q.execution(body.GetExecution.GetId(), r)
	case *orrerypb.Request_Stats:
		return q.stats(body.Stats, r)
	case *orrerypb.Request_Status:
		r.Paused, r.Config = q.s.Paused(), proto.FromConfig(q.s.Config())
		return nil
	default:
		return orrery.Invalidf("read %s: the state only answers get_job, list_jobs, list_executions, get_execution, stats and status", bodyName(req))
	}
}

// bodyName is what the request asks for, in the wire's word.
func bodyName(req *orrerypb.Request) string {
	m := req.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("body"))
	if field == nil {
		return "nothing"
	}
	return string(field.Name())
}
