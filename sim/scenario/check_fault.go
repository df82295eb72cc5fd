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
				c.failf(f.Line, `"it" is whom the fault above hit, and no fault above hits anybody`)
			}
		}
		somebody = somebody || len(f.Targets) > 0 && f.Targets[0] != AnyLink
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
	case kindOf(f.Verb).servers && (t == AnAgent || t.Member() > servers && t.Member() <= servers+agents):
		c.failf(f.Line, "%s is for servers (m1..m%d); %s is an agent", f.Verb, servers, t)
	}
}

// cut looks at the words that make sense in one place only: rest and any-link, and at members on both sides.
func (c *checker) cut(f Fault) {
	c.alone(f, AnyLink, f.Targets, kindOf(f.Verb).shape == takesLinks && f.Cut == "")
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
