package scenario

import "slices"

// faults looks at whom each fault hits.
func (c *checker) faults() {
	somebody := false // whether a fault above has hit anybody, whom "it" could mean
	for _, f := range c.s.Faults {
		c.when(f.Line, f.When)
		c.cut(f)
		for _, t := range slices.Concat(f.Targets, f.Others) {
			c.target(f, t)
			if t == It && !somebody {
				c.failf(f.Line, `"it" is whom the fault above hit, and no fault above hits members`)
			}
		}
		somebody = somebody || HitsMembers(f.Verb)
		if f.Verb == TransferLeader && c.s.Members.Servers == 1 {
			c.failf(f.Line, "nobody can take over: the cluster has a single server")
		}
	}
	c.core()
}

// core looks at the heal that ends a run: there is one, its moment is known, and nothing comes later.
func (c *checker) core() {
	i := slices.IndexFunc(c.s.Faults, func(f Fault) bool { return f.Core })
	if i < 0 {
		return
	}
	core := c.s.Faults[i]
	if n := c.s.Members.Servers; n == 1 || n == 2 {
		c.failf(core.Line, "a majority of %s leaves nobody to stay broken; heal core takes 3", plural(n, "server"))
	}
	c.named(core)
	if core.When.Kind != At {
		c.failf(core.Line, "heal core comes once and last, at a time, such as: at %s heal core", formatDuration(c.s.Lasts))
		return
	}
	for j, f := range c.s.Faults {
		switch {
		case j == i:
		case f.Core:
			c.failf(f.Line, "heal core is on line %d already", core.Line)
		default:
			c.beforeCore(f.Line, f.When, core)
		}
	}
	for _, st := range c.s.Steps {
		c.beforeCore(st.Line, st.When, core)
	}
}

// named fails when the members that a heal of the core names cannot decide anything among themselves.
func (c *checker) named(core Fault) {
	servers := c.s.Members.Servers
	healed := 0
	for _, t := range core.Targets {
		if t.Member() <= servers {
			healed++
		}
	}
	if len(core.Targets) > 0 && healed <= servers/2 {
		c.failf(core.Line, "the core has %s of %d; heal core takes a majority", plural(healed, "server"), servers)
	}
}

// beforeCore fails when something is timed after the heal that comes last. A window without an end ends with that.
func (c *checker) beforeCore(line int, w When, core Fault) {
	if last := max(w.Span.Lo, w.Span.Hi); last > core.When.Span.Lo {
		c.failf(line, "%s is after heal core, which comes last (line %d, at %s)", formatDuration(last), core.Line, core.When.Span)
	}
}

// target fails when t cannot be hit by f in this cluster.
func (c *checker) target(f Fault, t Target) {
	servers, agents := c.s.Members.Servers, c.s.Members.Agents
	c.member(f.Line, string(t))
	switch {
	case servers == 0: // told already
	case t == Follower && servers < 2:
		c.failf(f.Line, "there is no follower: the cluster has a single server")
	case t == Minority && servers < 3:
		c.failf(f.Line, "there is no minority of %s; a minority takes 3", plural(servers, "server"))
	case t == AnAgent && agents == 0:
		c.failf(f.Line, "there is no agent: the cluster has servers only")
	}
}

// cut looks at the words that make sense in one place only: rest and any-link, and at members on both sides.
func (c *checker) cut(f Fault) {
	c.alone(f, AnyLink, f.Targets, kindOf(f.Verb).has(aCut) && f.Cut == "")
	c.alone(f, AnyLink, f.Others, false)
	c.alone(f, Rest, f.Targets, f.Cut != "" && !slices.Contains(f.Others, Rest))
	c.alone(f, Rest, f.Others, true)
	first := map[Target]bool{}
	for _, t := range f.Targets {
		first[t] = true
	}
	for _, t := range f.Others {
		if first[t] && t.Member() > 0 {
			c.failf(f.Line, "%s is on both sides of the cut", t)
		}
	}
}

// alone fails when side holds word although it may not, or together with others.
func (c *checker) alone(f Fault, word Target, side []Target, allowed bool) {
	if !slices.Contains(side, word) || allowed && len(side) == 1 {
		return
	}
	if word == Rest {
		c.failf(f.Line, `"rest" is one whole side of a cut, such as: partition leader | rest`)
		return
	}
	c.failf(f.Line, `"any-link" is all that partition or clog take, such as: clog any-link`)
}
