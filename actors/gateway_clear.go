package actors

import (
	"orrery/proto/orrerypb"
	"orrery/store"
)

// clear is the command that clears the job's history. It is computed from nothing but
// the name; the job is read for the version that its state was raised to.
func (e jobEdit) clear(request *orrerypb.ClearHistoryRequest) *orrerypb.Command_ClearHistory {
	return &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: request.GetName()}}
}

// checkRaised refuses a write that some server may not know yet: the entry would stop
// that server. It is judged here and not by the state, which a server of the former
// release could not even ask. No answer to it can be stored, so none is missed: where
// the request was ever carried out, the state is raised for good.
func (g *Gateway) checkRaised(c *orrerypb.Command, read JobRead) error {
	if g.env.Knob(KnobApplyNewEarly) {
		return nil
	}
	return store.CheckRaised(c, read.Version)
}
