package actors

// answer answers a question about the state as it is now.
func (s *Store) answer(msg any) {
	to, answer := s.read(msg)
	s.env.Send(Address{Actor: to}, answer)
}

func (s *Store) read(msg any) (replyTo string, answer any) {
	switch m := msg.(type) {
	case ReadDue:
		return m.ReplyTo, s.readDue(m)
	case ReadReady:
		return m.ReplyTo, ReadyRead{Ref: m.Ref, Executions: s.state.Ready(m.After, m.Limit)}
	case ReadOpen:
		return m.ReplyTo, OpenRead{Ref: m.Ref, Executions: s.state.Assigned(m.After, m.Limit)}
	case ReadExecutions:
		return m.ReplyTo, ExecutionsRead{Ref: m.Ref, Executions: s.state.Executions(m.IDs)}
	case ReadOutbox:
		return m.ReplyTo, OutboxRead{Ref: m.Ref, Rows: s.state.Outbox(m.Limit)}
	case ReadNotifications:
		return m.ReplyTo, NotificationsRead{Ref: m.Ref, Notifications: s.state.Notifications(m.After, m.Limit)}
	case ReadRetention:
		return m.ReplyTo, RetentionRead{Ref: m.Ref, Forget: s.state.Retention(m.Now)}
	case ReadJob:
		return m.ReplyTo, s.readJob(m)
	case Read:
		return m.ReplyTo, ReadDone{Ref: m.Ref, Response: s.state.Answer(m.Request)}
	default:
		unexpected(StoreName, msg)
		return
	}
}

func (s *Store) readDue(m ReadDue) DueRead {
	jobs, nextDue := s.state.Due(m.Now, m.Limit)
	timers, nextTimer := s.state.Timers(m.Timers, m.Limit)
	return DueRead{
		Ref: m.Ref, Jobs: jobs, Timers: timers, NextDue: nextDue, NextTimer: nextTimer,
		Paused: s.state.Paused(), Config: s.state.Config(),
	}
}

func (s *Store) readJob(m ReadJob) JobRead {
	record, state := s.state.Job(m.Name)
	return JobRead{
		Ref: m.Ref, Record: record, State: state,
		Paused: s.state.Paused(), Config: s.state.Config(), Version: s.state.Meta().GetVersion(),
	}
}
