package actors

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
	"orrery/store"
)

// tagSink is a gossip that only notes the tags.
type tagSink struct{ tags map[string]string }

func (s *tagSink) SetTags(tags map[string]string) { s.tags = tags }
func (s *tagSink) Leave()                         {}

func newTestRoster(server bool) *fakeEnv {
	env := newFakeEnv("m1")
	self := Member{Name: "m1", Incarnation: 1, Status: MemberAlive, Server: server, Tags: map[string]string{"role": "web"}}
	env.actor = NewRoster(env, &tagSink{}, RosterBoot{Member: self})
	env.give(Start{})
	env.taken()
	return env
}

func roster(env *fakeEnv) []Member {
	env.taken()
	env.give(RosterWanted{ReplyTo: "asker"})
	return env.taken()[0].Msg.(RosterRead).Members
}

func TestRosterStarts(t *testing.T) {
	for name, test := range map[string]struct {
		server bool
		told   []string
		timers int
	}{
		"a server, who hears of leaders from its log": {true, []string{DispatcherName, GatewayName, ExecutorName}, 0},
		"an agent, who has to ask":                    {false, []string{GatewayName, ExecutorName}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			env, gossip := newFakeEnv("m1"), &tagSink{}
			self := Member{Name: "m1", Incarnation: 1, Server: test.server, Tags: map[string]string{"a": "b"}}
			env.actor = NewRoster(env, gossip, RosterBoot{Member: self})
			env.give(Start{})
			var told []string
			for _, s := range env.taken() {
				told = append(told, s.To.Actor)
			}
			if !slices.Equal(told, test.told) || len(env.armed) != test.timers || gossip.tags["a"] != "b" {
				t.Fatalf("told %v, %d timers, tags %v", told, len(env.armed), gossip.tags)
			}
		})
	}
}

func TestRosterTellsOldNewsFromNew(t *testing.T) {
	alive := func(incarnation uint64) Member {
		return Member{Name: "m2", Incarnation: incarnation, Tags: map[string]string{"a": "b"}}
	}
	with := func(m Member, s MemberStatus) Member { m.Status = s; return m }
	for name, test := range map[string]struct {
		news []Member
		want Member
		told int
	}{
		"a member is new":                            {[]Member{alive(5)}, alive(5), 1},
		"the same news twice are told once":          {[]Member{alive(5), alive(5)}, alive(5), 1},
		"an older incarnation changes nothing":       {[]Member{alive(5), with(alive(4), MemberFailed)}, alive(5), 1},
		"a newer one replaces, its failure untold":   {[]Member{alive(5), alive(6)}, alive(6), 2},
		"a newer one after left":                     {[]Member{alive(5), with(alive(5), MemberLeft), alive(6)}, alive(6), 3},
		"suspicion is taken back":                    {[]Member{alive(5), with(alive(5), MemberSuspect), alive(5)}, alive(5), 3},
		"a failure is taken back, for networks heal": {[]Member{alive(5), with(alive(5), MemberFailed), alive(5)}, alive(5), 3},
		"nothing follows left within an incarnation": {[]Member{alive(5), with(alive(5), MemberLeft), alive(5)}, with(alive(5), MemberLeft), 2},
		"tags that the gossip forgot are remembered": {[]Member{alive(5), {Name: "m2", Incarnation: 5, Status: MemberSuspect}}, with(alive(5), MemberSuspect), 2},
		"tags of another incarnation are not":        {[]Member{alive(5), {Name: "m2", Incarnation: 6}}, Member{Name: "m2", Incarnation: 6}, 2},
		"an agent that is a server after all":        {[]Member{alive(5), {Name: "m2", Incarnation: 5, Server: true, Tags: map[string]string{"a": "b"}}}, Member{Name: "m2", Incarnation: 5, Server: true, Tags: map[string]string{"a": "b"}}, 2},
		"tags that were taken away are":              {[]Member{alive(5), {Name: "m2", Incarnation: 5, Tags: map[string]string{}}}, Member{Name: "m2", Incarnation: 5}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestRoster(false)
			for _, m := range test.news {
				env.give(MemberChanged{m})
			}
			if told := len(sentTo(env.taken(), "", GatewayName)); told != test.told {
				t.Errorf("told %d times, want %d", told, test.told)
			}
			got := roster(env)[1]
			if !sameMember(got, test.want) {
				t.Errorf("knows %+v, want %+v", got, test.want)
			}
		})
	}
	t.Run("of itself a member knows best", func(t *testing.T) {
		env := newTestRoster(false)
		env.give(MemberChanged{Member{Name: "m1", Incarnation: 9, Status: MemberFailed}})
		if m := roster(env)[0]; m.Status != MemberAlive || m.Incarnation != 1 {
			t.Fatalf("believed %+v", m)
		}
	})
}

// TestRosterForgetsTheOrderOfIncarnations: whatever the order in which two rosters hear
// of incarnations, they believe the same one in the end.
func TestRosterForgetsTheOrderOfIncarnations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		news := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Member {
			return Member{
				Name: rapid.SampledFrom([]string{"m2", "m3"}).Draw(t, "name"), Incarnation: rapid.Uint64Range(1, 5).Draw(t, "incarnation"),
				Status: MemberStatus(rapid.IntRange(0, 3).Draw(t, "status")), Server: rapid.Bool().Draw(t, "server"),
			}
		}), 1, 20).Draw(t, "news")
		env, other := newTestRoster(true), newTestRoster(false)
		for _, m := range news {
			env.give(MemberChanged{m})
		}
		for _, m := range rapid.Permutation(news).Draw(t, "other order") {
			other.give(MemberChanged{m})
		}
		one, two := map[string]uint64{}, map[string]uint64{}
		for i, m := range roster(env) {
			one[m.Name] = m.Incarnation
			if i > 0 && roster(env)[i-1].Name >= m.Name {
				t.Fatal("the list is not by name")
			}
		}
		for _, m := range roster(other) {
			two[m.Name] = m.Incarnation
		}
		if !maps.Equal(one, two) {
			t.Fatalf("%v and %v", one, two)
		}
	})
}

func TestRosterKnowsTheLeader(t *testing.T) {
	known := func(term uint64, leader string) any { return &orrerypb.LeaderKnown{Term: term, Leader: leader} }
	log := func(term uint64, leader string) any { return store.LeaderChanged{Term: term, Leader: leader} }
	for name, test := range map[string]struct {
		news []any
		want []LeaderHeard
	}{
		"from its log":                            {[]any{log(3, "m2")}, []LeaderHeard{{3, "m2"}}},
		"from another member":                     {[]any{known(3, "m2")}, []LeaderHeard{{3, "m2"}}},
		"doubled, it is told once":                {[]any{known(3, "m2"), known(3, "m2")}, []LeaderHeard{{3, "m2"}}},
		"an older term changes nothing":           {[]any{known(3, "m2"), known(2, "m3"), log(1, "m1")}, []LeaderHeard{{3, "m2"}}},
		"a newer term replaces":                   {[]any{known(3, "m2"), known(4, "m3")}, []LeaderHeard{{3, "m2"}, {4, "m3"}}},
		"its log knows that there is nobody":      {[]any{log(3, "m2"), log(3, "")}, []LeaderHeard{{3, "m2"}, {3, ""}}},
		"its log says it twice":                   {[]any{log(3, "m2"), log(3, "m2")}, []LeaderHeard{{3, "m2"}}},
		"an older leader does not replace nobody": {[]any{log(3, ""), known(2, "m2")}, []LeaderHeard{{3, ""}}},
		"another member cannot say nobody":        {[]any{known(3, "m2"), known(4, "")}, []LeaderHeard{{3, "m2"}}},
		"nobody is replaced within the term":      {[]any{log(3, ""), known(3, "m2")}, []LeaderHeard{{3, ""}, {3, "m2"}}},
		"there is one leader in a term":           {[]any{known(3, "m2"), known(3, "m3")}, []LeaderHeard{{3, "m2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestRoster(true)
			env.give(test.news...)
			sent := env.taken()
			for _, actor := range []string{GatewayName, ExecutorName} {
				var got []LeaderHeard
				for _, m := range sentTo(sent, "", actor) {
					got = append(got, m.(LeaderHeard))
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("%s heard %v, want %v", actor, got, test.want)
				}
			}
		})
	}
}

// TestAgentsAskServersInTurn while they know no leader that is alive.
func TestAgentsAskServersInTurn(t *testing.T) {
	env := newTestRoster(false)
	env.pass(askEvery)
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("asked nobody it knows: %v", sent)
	}
	for i := range 3 {
		env.give(MemberChanged{Member{Name: fmt.Sprint("s", i), Incarnation: 1, Server: true}})
	}
	env.give(MemberChanged{Member{Name: "a1", Incarnation: 1}})
	asked := func(d time.Duration) (names []string) {
		env.taken()
		env.pass(d)
		for _, s := range env.taken() {
			if ask, ok := s.Msg.(*orrerypb.AskLeader); ok && ask.GetMember() == "m1" && s.To.Actor == RosterName {
				names = append(names, s.To.Member)
			}
		}
		return names
	}
	got := asked(3 * askEvery)
	if slices.Sort(got); !slices.Equal(got, []string{"s0", "s1", "s2"}) {
		t.Fatalf("asked %v", got)
	}
	env.give(&orrerypb.LeaderKnown{Term: 1, Leader: "s1"})
	if got := asked(5 * askEvery); len(got) != 0 {
		t.Fatalf("asked %v, and knows the leader", got)
	}
	env.give(MemberChanged{Member{Name: "s1", Incarnation: 1, Server: true, Status: MemberFailed}})
	got = asked(4 * askEvery)
	if slices.Sort(got); !slices.Equal(got, []string{"s0", "s0", "s2", "s2"}) {
		t.Fatalf("with the leader failed it asked %v", got)
	}
	env.give(MemberChanged{Member{Name: "s0", Incarnation: 1, Server: true, Status: MemberFailed}})
	env.give(MemberChanged{Member{Name: "s2", Incarnation: 1, Server: true, Status: MemberLeft}})
	got = asked(2 * askEvery)
	if slices.Sort(got); !slices.Equal(got, []string{"s0", "s1"}) {
		t.Fatalf("with none alive it asked %v", got)
	}
}

// TestNotAllAgentsAskTheSameServerFirst: the own name draws who comes first.
func TestNotAllAgentsAskTheSameServerFirst(t *testing.T) {
	first := map[string]bool{}
	for i := range 10 {
		env := newFakeEnv(fmt.Sprint("a", i))
		env.actor = NewRoster(env, &tagSink{}, RosterBoot{Member: Member{Name: env.self, Incarnation: 1}})
		env.give(Start{})
		for _, server := range []string{"s1", "s2", "s3"} {
			env.give(MemberChanged{Member{Name: server, Incarnation: 1, Server: true}})
		}
		env.taken()
		env.pass(askEvery)
		first[env.taken()[0].To.Member] = true
	}
	if len(first) != 3 {
		t.Fatalf("ten agents asked %v first", first)
	}
}

func TestServersTellWhoAsks(t *testing.T) {
	env := newTestRoster(true)
	env.give(&orrerypb.AskLeader{Member: "a1"})
	if sent := env.taken(); len(sent) != 0 {
		t.Fatalf("knows nobody, and says %v", sent)
	}
	env.give(store.LeaderChanged{Term: 3, Leader: "m2"})
	env.taken()
	env.give(&orrerypb.AskLeader{Member: "a1"})
	got := sentTo(env.taken(), "a1", RosterName)
	if len(got) != 1 || got[0].(*orrerypb.LeaderKnown).GetTerm() != 3 || got[0].(*orrerypb.LeaderKnown).GetLeader() != "m2" {
		t.Fatalf("told %v", got)
	}
}

func TestTheRosterRemembersWhoLedBefore(t *testing.T) {
	env := newFakeEnv("m1")
	env.actor = NewRoster(env, &tagSink{}, RosterBoot{Member: Member{Name: env.self, Incarnation: 1, Server: true}})
	led := func() string {
		env.taken()
		env.give(RosterWanted{ReplyTo: DispatcherName})
		return ofType[RosterRead](env.taken())[0].Led
	}
	if got := led(); got != "" {
		t.Errorf("before anybody led: %q", got)
	}
	for _, heard := range []store.LeaderChanged{{Term: 1, Leader: "m2"}, {Term: 2}, {Term: 2, Leader: "m1"}} {
		env.give(heard)
		if got := led(); got != "m2" {
			t.Errorf("after %v: %q, want m2", heard, got)
		}
	}
}
